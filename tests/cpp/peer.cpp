/* SPDX-License-Identifier: MIT */
/* Roles for test_cpp.py, in C++ by framebus.hpp alone: cpp-peer ROLE [ARGUMENT]... */
#include <framebus.hpp>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <thread>

#include <poll.h>

using namespace std::chrono_literals;

#define CHECK(condition) ((condition) ? void() : failed(__LINE__, #condition))

[[noreturn]] static void failed(int line, const char *what)
{
    std::cerr << "peer.cpp:" << line << ": not so: " << what << " (" << framebus_last_error() << ")\n";
    std::exit(3);
}

/* The call throws an Error with this errno and a sentence with this word in it. */
template <class Error = framebus::error>
static void throws(int number, const char *word, const std::function<void()> &call)
{
    try {
        call();
    } catch (const Error &error) {
        if (error.code() != std::error_code(number, std::generic_category()) ||
            !std::strstr(error.what(), word))
            std::cerr << "got: " << error.code() << ", " << error.what() << '\n';
        CHECK(error.code() == std::error_code(number, std::generic_category()));
        CHECK(std::strstr(error.what(), word));
        return;
    }
    std::cerr << "nothing was thrown; expected: " << word << '\n';
    std::exit(3);
}

static void is_empty(const std::function<void()> &call)
{
    try {
        call();
    } catch (const std::logic_error &) {
        return;
    }
    failed(__LINE__, "a std::logic_error is thrown");
}

static constexpr std::uint32_t tag = 0x4d554e; /* "NUM" */

static constexpr std::uint32_t bulk_tag = 0x4b4c5542; /* "BULK" */

struct note {
    std::uint64_t number;
    std::int32_t more[3];
};

/* ---- writers ---- */

static void fill(framebus::writable_frame &frame, std::uint64_t number)
{
    const framebus::plane_span plane = frame.plane();
    CHECK(plane.rows == 48 && plane.row_bytes == 64 && plane.stride >= 64);
    for (std::size_t y = 0; y < plane.rows; y++)
        for (std::size_t x = 0; x < plane.row_bytes; x++)
            plane.row(y)[x] = static_cast<std::byte>(number + x + y);
    frame.add_meta(tag, note{number, {1, 2, 3}});
    const framebus::byte_span large = frame.append_meta(bulk_tag, 5000);
    std::memset(large.data(), static_cast<int>(number & 0xff), large.size());
    frame.set_captured(framebus::clock::now() - 5ms);
    frame.set_duration(33ms);
    frame.set_clock_time({1234567890, FRAMEBUS_CLOCK_TAI, 100});
    frame.set_flags(FRAMEBUS_FRAME_MARKER);
    frame.set_crop({8, 4, 32, 16});
}

static void publish(framebus::writer &writer, std::uint64_t number)
{
    framebus::writable_frame frame = writer.begin();
    fill(frame, number);
    frame.publish();
    CHECK(!frame);
}

static void serve(framebus::writer &writer, bool until_there_are_readers)
{
    const auto limit = framebus::clock::now() + 20s;
    do {
        CHECK(framebus::clock::now() < limit);
        pollfd wait = {writer.fd(), POLLIN, 0};
        poll(&wait, 1, 5);
        writer.dispatch();
    } while ((framebus::info(writer)->readers != 0) != until_there_are_readers);
}

static framebus::writer open_lossless(const std::string &bus)
{
    framebus::writer_options options;
    options.lossless = true;
    options.lossless_timeout = 20s;
    options.label = "peer in C++";
    options.meta_size = 6000;
    return framebus::writer(bus, framebus::format("GRAY8", 64, 48, {30, 1}), options);
}

/* So many frames for a lossless reader, in two streams or to the middle of one. */
static void write(const std::string &bus, std::uint64_t frames, const std::string &how)
{
    framebus::writer writer = open_lossless(bus);
    std::cout << "ready" << std::endl;
    serve(writer, true);
    for (std::uint64_t number = 0; number < frames; number++)
        publish(writer, number);
    if (how == "dies")
        std::raise(SIGKILL);
    writer.end();
    if (how == "twice") {
        publish(writer, frames);
        writer.end();
    }
    serve(writer, false);
}

static volatile std::sig_atomic_t done;

/* A frame every so many milliseconds, or none, until SIGINT. */
static void tick(const std::string &bus, int interval)
{
    framebus::writer_options options;
    options.meta_size = 6000;
    framebus::writer writer(bus, framebus::format("GRAY8", 64, 48), options);
    std::signal(SIGINT, [](int) { done = 1; });
    std::cout << "ready" << std::endl;
    for (std::uint64_t number = 0; !done;) {
        if (interval)
            publish(writer, number++);
        writer.dispatch();
        std::this_thread::sleep_for(std::chrono::milliseconds(interval ? interval : 2));
    }
}

/* ---- readers ---- */

static framebus::reader open_reader(const std::string &bus,
                                    framebus::delivery delivery = framebus::delivery::live,
                                    bool follow = false)
{
    framebus::reader_options options;
    options.wait = 20s;
    options.delivery = delivery;
    options.follow = follow;
    options.label = "reader in C++";
    return framebus::reader(bus, options);
}

static void look_at(const framebus::frame &frame, std::uint64_t number)
{
    const framebus::plane_view plane = frame.plane();
    CHECK(frame.width() == 64 && frame.height() == 48 && framebus::name(frame.format()) == "GRAY8");
    for (std::size_t y = 0; y < plane.rows; y++)
        for (std::size_t x = 0; x < plane.row_bytes; x++)
            CHECK(plane.row(y)[x] == static_cast<std::byte>(number + x + y));
    const note *block = frame.meta_as<note>(tag);
    CHECK(block && block->number == number && block->more[2] == 3);
    CHECK(frame.meta(tag).size() == sizeof(note) && !frame.meta(tag, 1).data() &&
          !frame.meta_as<note[2]>(tag));
    const framebus::byte_view large = frame.meta(bulk_tag);
    CHECK(large.size() == 5000 && large.data()[4999] == static_cast<std::byte>(number));
    CHECK(frame.published() - frame.captured() >= 5ms && frame.captured() < framebus::clock::now());
    CHECK(frame.duration() == 33ms && frame.has(FRAMEBUS_FRAME_MARKER) && !frame.has(FRAMEBUS_FRAME_GAP));
    CHECK(frame.clock_time()->ns == 1234567890 && frame.clock_time(FRAMEBUS_CLOCK_TAI)->error_ns == 100);
    CHECK(!frame.clock_time(FRAMEBUS_CLOCK_REALTIME));
    CHECK(frame.crop().x == 8 && frame.crop().height == 16);
    CHECK(frame.bytes().size() == 64 * 48 && frame.bytes().data() == plane.data);
}

/* By range-for; with `follow` until a frame with this number came. */
static void read(const std::string &bus, std::uint64_t frames, bool follow)
{
    framebus::reader reader = open_reader(bus, framebus::delivery::lossless, follow);
    std::uint64_t number = 0;
    for (const framebus::frame &frame : reader) {
        CHECK(frame.sequence() == number && frame.missed() == 0);
        look_at(frame, number++);
        if (follow && number == frames)
            break;
    }
    CHECK(number == frames && reader.stats().delivered == frames);
}

/* Whatever ends the frames is printed by name. */
static void end_of(const std::string &bus)
{
    framebus::reader reader = open_reader(bus, framebus::delivery::lossless);
    std::uint64_t frames = 0;
    std::cout << "ready" << std::endl;
    try {
        for (;; frames++)
            reader.next();
    } catch (const framebus::end_of_stream &error) {
        CHECK(error.code() == std::errc::no_message_available);
        std::cout << "end_of_stream " << frames << ' ' << error.what() << '\n';
    } catch (const framebus::writer_gone &error) {
        CHECK(error.code() == std::errc::broken_pipe);
        std::cout << "writer_gone " << frames << ' ' << error.what() << '\n';
        throws<framebus::writer_gone>(EPIPE, "", [&] { reader.next(0ns); });
        throws<framebus::writer_gone>(EPIPE, "", [&] { reader.begin(); });
    }
}

static framebus::reader *stoppable;
static std::atomic<int> interrupts{0};

static void on_signal(int number)
{
    const int before = errno;

    errno = 77;
    if (number == SIGUSR1)
        interrupts++;
    else
        stoppable->stop();
    if (errno != 77)
        std::abort();
    errno = before;
}

static void handle(int number)
{
    struct sigaction action = {};
    action.sa_handler = on_signal; /* without SA_RESTART */
    sigaction(number, &action, nullptr);
}

/* Ctrl-C ends a range-for over a silent bus, and SIGUSR1 does not. */
static void until_signal(const std::string &bus)
{
    framebus::reader reader = open_reader(bus, framebus::delivery::live, true);
    stoppable = &reader;
    handle(SIGINT);
    handle(SIGUSR1);
    std::cout << "ready" << std::endl;
    for (const framebus::frame &frame : reader)
        std::cout << "frame " << frame.sequence() << std::endl;
    throws<framebus::cancelled>(ECANCELED, "cancelled", [&] { reader.next(); });
    throws<framebus::cancelled>(ECANCELED, "cancelled", [&] { reader.next(0ns); });
    reader.resume();
    CHECK(!reader.next(1ms));
    std::cout << "stopped after " << interrupts << " interrupts\n";
}

/* A thread ends a wait, and a loop that always finds frames. */
static void until_thread(const std::string &bus)
{
    framebus::reader reader = open_reader(bus);
    std::thread thread([&] {
        std::this_thread::sleep_for(100ms);
        reader.stop();
    });
    throws<framebus::cancelled>(ECANCELED, "cancelled", [&] {
        for (;;)
            reader.next(20s);
    });
    thread.join();
}

/* While signals come all the time, a wait lasts as long as it should. */
static void interrupted(const std::string &bus)
{
    framebus::reader reader = open_reader(bus);
    std::atomic<bool> over{false};
    const pthread_t self = pthread_self();
    handle(SIGUSR1);
    std::thread thread([&] {
        while (!over) {
            pthread_kill(self, SIGUSR1);
            std::this_thread::sleep_for(1ms);
        }
    });
    const auto begin = framebus::clock::now();
    CHECK(!reader.next(200ms));
    CHECK(framebus::clock::now() - begin >= 199ms);
    over = true;
    thread.join();
    CHECK(interrupts > 3);
}

/* -EINTR is nobody's affair, and the time that is left becomes less. */
static void retries()
{
    std::vector<std::int64_t> left;
    const auto call = [&](std::int64_t ns) {
        left.push_back(ns);
        std::this_thread::sleep_for(2ms);
        return left.size() < 4 ? -EINTR : -ETIMEDOUT;
    };
    CHECK(framebus::detail::wait(20s, call) == -ETIMEDOUT && left.size() == 4);
    CHECK(left[0] == 20'000'000'000 && left[1] <= left[0] - 2'000'000 && left[3] <= left[2] - 2'000'000);
    left.clear();
    CHECK(framebus::detail::wait(framebus::forever, call) == -ETIMEDOUT);
    CHECK(left == std::vector<std::int64_t>({-1, -1, -1, -1}));
    left.clear();
    CHECK(framebus::detail::wait(-5s, call) == -ETIMEDOUT);
    CHECK(left == std::vector<std::int64_t>({0, 0, 0, 0}));
    left.clear();
    CHECK(framebus::detail::wait(3ms, call) == -ETIMEDOUT && left[3] == 0);
}

/* ---- lifetimes: a bus with four frames and a quota of two ---- */

static void keep(const std::string &bus)
{
    framebus::reader first = open_reader(bus, framebus::delivery::lossless), reader = std::move(first);
    CHECK(!first && reader);
    is_empty([&] { first.next(); });
    is_empty([&] { first.fd(); });
    first.stop(); /* of nothing */

    framebus::frame a = reader.next(), b = std::move(a), none;
    CHECK(!a && b && !none && reader.stats().held == 1);
    is_empty([&] { a.sequence(); });
    is_empty([&] { a.plane(); });
    is_empty([&] { none.meta(tag); });
    a = reader.next();
    CHECK(a.sequence() == 1 && reader.stats().held == 2);
    throws(EBUSY, "", [&] { reader.next(1s); });
    a = std::move(b);
    CHECK(a.sequence() == 0 && !b && reader.stats().held == 1);
    look_at(a, 0);
    std::thread([held = std::move(a)] { look_at(held, 0); }).join();
    CHECK(!a && reader.stats().held == 0);

    for (framebus::frame &frame : reader) {
        CHECK(reader.stats().held == 1);
        b = std::move(frame);
        break;
    }
    CHECK(b.sequence() == 2 && reader.stats().held == 1);
    a = reader.next();
    reader.close();
    CHECK(!reader);
    look_at(b, 2);
    look_at(a, 3);
    a.release();
    a.release();
    CHECK(!a);
}

/* ---- what is wrong is an exception with a sentence ---- */

static void errors(const std::string &bus)
{
    throws(ENOENT, "has no writer", [&] { framebus::reader reader("nobody"); });
    throws(EINVAL, "\"no name\" is not a name", [&] { framebus::reader reader("no name"); });
    throws(EINVAL, "\"no name\" is not a name", [&] { framebus::writer writer("no name"); });
    throws(EADDRINUSE, "", [&] { framebus::writer writer(bus); });
    throws(EINVAL, "NV13", [] { framebus::format format("NV13", 64, 48); });
    throws(EINVAL, "", [] { framebus::format format("NV12", 0, 48); });
    throws(EINVAL, "", [] { framebus::format format("NV12", 64, 48, {30, 0}); });
    throws(EINVAL, "", [] { framebus::format::payload("", 10); });
    throws(ENOENT, "nobody", [] { framebus::query("nobody"); });
    framebus::reader_options options;
    options.quota = 1000;
    throws(EINVAL, "1000", [&] { framebus::reader reader(bus, options); });
    options.quota = 1;
    options.anticipate = 101;
    throws(EINVAL, "anticipate 101", [&] { framebus::reader reader(bus, options); });
    options.anticipate = 0;
    options.fd = 1; /* a pipe */
    throws(EINVAL, "give one of the two", [&] { framebus::reader reader(bus, options); });
    throws(EINVAL, "not a Unix socket", [&] { framebus::reader reader("", options); });
    framebus::reader reader = open_reader(bus);
    throws(EINVAL, "", [&] { reader.set_quota(0); });
    reader.set_quota(5);
    CHECK(reader.stats().quota == 5);
    reader.request_key_frame();

    framebus::writer empty("without-format");
    throws(ENODATA, "", [&] { empty.begin(); });
    empty.stop();
    throws<framebus::cancelled>(ECANCELED, "", [&] { empty.begin(); });
    empty.resume();
    empty.set_format(framebus::format::payload("image/jpeg", 100));
    CHECK(!empty.wants_key_frame());
    framebus::writable_frame frame = empty.begin(5000);
    CHECK(frame.bytes().size() >= 5000);
    try {
        frame.plane();
        failed(__LINE__, "a payload has no plane");
    } catch (const std::out_of_range &) {
    }
    frame.set_size(frame.bytes().size() + 1);
    throws(EINVAL, "", [&] { frame.publish(); });
    CHECK(frame);
    frame.set_size(5000);
    frame.publish();
    is_empty([&] { frame.publish(); });
    framebus::writable_frame dropped = empty.begin();
    dropped.release();
    CHECK(framebus::info(empty)->published == 1 && framebus::info(empty)->lent == 0);
}

static void formats()
{
    framebus::format a("bgr24", 64, 48, {30000, 1001}), b("NV12", 64, 48);
    CHECK(a.name() == "BGR" && a.describe() == "BGR 64x48 30000/1001" && a != b);
    a.set_caps("video/x-raw, a=(int)1, and=(string)\"more than fits into the string itself\"");
    b = a;
    framebus::format c = std::move(a), d(static_cast<const framebus_format &>(c));
    a = framebus::format::payload("image/jpeg", 1000);
    CHECK(b == c && c == d && b.caps != c.caps && a.name().empty() && a.describe() == "image/jpeg");
    c.set_caps("");
    CHECK(!c.caps && b != c);
    const framebus::format &self = b;
    b = self;
    CHECK(b == d && b.rate_num == 30000);
}

static void listing(const std::string &bus)
{
    const std::vector<framebus::bus_info> all = framebus::list();
    CHECK(all.size() == 1 && all[0]->name == bus && all[0]->state == FRAMEBUS_BUS_LIVE);
    CHECK(all[0]->label == std::string("peer in C++") &&
          framebus::describe(all[0]->format) == "GRAY8 64x48 30/1");
    const framebus::bus_info one = framebus::query(bus);
    CHECK(one->lossless && one->pid == all[0]->pid);
    framebus::reader reader = open_reader(bus, framebus::delivery::lossless);
    CHECK(framebus::query(bus)->reader[0].label == std::string("reader in C++"));
    const framebus::frame frame = reader.next(); /* the format may be known no sooner */
    CHECK(reader.format() && reader.format()->name() == "GRAY8");
}

static framebus_event expect(framebus::monitor &monitor, framebus_event_type type)
{
    for (;;) {
        const std::optional<framebus_event> event = monitor.next(20s);
        CHECK(event);
        if (event->type == type)
            return *event;
    }
}

static void watch(const std::string &bus)
{
    throws(EINVAL, "no name", [] { framebus::monitor monitor("no name"); });
    framebus::monitor first(bus), monitor = std::move(first);
    is_empty([&] { first.next(0ns); });
    CHECK(monitor.fd() >= 0 && expect(monitor, FRAMEBUS_EVENT_BUS_ADDED).bus->name == bus);
    framebus::reader reader = open_reader(bus);
    CHECK(expect(monitor, FRAMEBUS_EVENT_READER_ADDED).reader->label == std::string("reader in C++"));
    reader.close();
    expect(monitor, FRAMEBUS_EVENT_READER_REMOVED);
}

/* The newest frame, whether it is the one that is held or a newer one. */
static void newest(const std::string &bus)
{
    framebus::reader reader = open_reader(bus);
    const framebus::frame frame = reader.next();
    for (int i = 0; i < 3; i++) {
        const std::optional<framebus::frame> again = reader.newest();
        CHECK(again && again->sequence() >= frame.sequence() && reader.stats().held <= 2);
        look_at(*again, again->sequence());
    }
    CHECK(reader.stats().held == 1);
}

int main(int argc, char **argv)
{
    const std::string role = argc > 1 ? argv[1] : "", bus = argc > 2 ? argv[2] : "",
                      more = argc > 3 ? argv[3] : "", how = argc > 4 ? argv[4] : "";
    const std::map<std::string, std::function<void()>> roles = {
        {"write", [&] { write(bus, std::stoul(more), how); }},
        {"tick", [&] { tick(bus, std::stoi(more)); }},
        {"read", [&] { read(bus, std::stoul(more), how == "follow"); }},
        {"end", [&] { end_of(bus); }},
        {"signal", [&] { until_signal(bus); }},
        {"thread", [&] { until_thread(bus); }},
        {"interrupted", [&] { interrupted(bus); }},
        {"retries", retries},
        {"keep", [&] { keep(bus); }},
        {"errors", [&] { errors(bus); }},
        {"formats", formats},
        {"watch", [&] { watch(bus); }},
        {"newest", [&] { newest(bus); }},
        {"listing", [&] { listing(bus); }},
    };
    try {
        roles.at(role)();
    } catch (const std::exception &error) {
        std::cerr << "cpp-peer " << role << ": " << error.what() << '\n';
        return 1;
    }
    return 0;
}
