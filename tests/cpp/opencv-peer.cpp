/* SPDX-License-Identifier: MIT */
/* Roles for test_opencv.py: opencv-peer ROLE BUS. Pictures of one colour, in each format that OpenCV
 * converts, cross a bus and become BGR; others say that they cannot. */
#include <framebus/opencv.hpp>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <thread>

#include <poll.h>

using namespace std::chrono_literals;

#define CHECK(condition) ((condition) ? void() : failed(__LINE__, #condition, ""))

[[noreturn]] static void failed(int line, const char *what, const std::string &where)
{
    std::cerr << "opencv-peer.cpp:" << line << ": not so: " << what << ' ' << where << '\n';
    std::exit(3);
}

/* A picture of (200, 100, 50), or its YUV by BT.601; then half as bright, in the lower half. */
struct picture {
    const char *name;
    int columns, rows;
    int type[3];          /* of each plane's cv::Mat */
    const char *bytes[3]; /* of each plane, again and again */
    int tolerance;        /* negative: it cannot become BGR */
};

static const picture pictures[] = {
    {"GRAY8", 63, 48, {CV_8UC1}, {"\x64"}, 0},
    {"BGR", 63, 48, {CV_8UC3}, {"\x32\x64\xc8"}, 0},
    {"RGB", 63, 48, {CV_8UC3}, {"\xc8\x64\x32"}, 0},
    {"BGRx", 64, 48, {CV_8UC4}, {"\x32\x64\xc8\x01"}, 0},
    {"BGRA", 64, 48, {CV_8UC4}, {"\x32\x64\xc8\x01"}, 0},
    {"RGBx", 64, 48, {CV_8UC4}, {"\xc8\x64\x32\x01"}, 0},
    {"RGBA", 64, 48, {CV_8UC4}, {"\xc8\x64\x32\x01"}, 0},
    {"xRGB", 64, 48, {CV_8UC4}, {"\x01\xc8\x64\x32"}, 0},
    {"ARGB", 64, 48, {CV_8UC4}, {"\x01\xc8\x64\x32"}, 0},
    {"xBGR", 64, 48, {CV_8UC4}, {"\x01\x32\x64\xc8"}, 0},
    {"ABGR", 64, 48, {CV_8UC4}, {"\x01\x32\x64\xc8"}, 0},
    {"RGB16", 63, 48, {CV_8UC2}, {"\x26\xcb"}, 7},
    {"BGR16", 63, 48, {CV_8UC2}, {"\x39\x33"}, 7},
    {"RGB15", 63, 48, {CV_8UC2}, {"\x86\x65"}, 7},
    {"BGR15", 63, 48, {CV_8UC2}, {"\x99\x19"}, 7},
    {"YUY2", 62, 48, {CV_8UC2}, {"\x7b\x5b\x7b\xaf"}, 3},
    {"YUY2", 63, 48, {CV_8UC2}, {"\x7b\x5b\x7b\xaf"}, 3},
    {"YVYU", 62, 48, {CV_8UC2}, {"\x7b\xaf\x7b\x5b"}, 3},
    {"UYVY", 62, 48, {CV_8UC2}, {"\x5b\x7b\xaf\x7b"}, 3},
    {"NV12", 62, 48, {CV_8UC1, CV_8UC2}, {"\x7b", "\x5b\xaf"}, 3},
    {"NV21", 62, 48, {CV_8UC1, CV_8UC2}, {"\x7b", "\xaf\x5b"}, 3},
    {"NV12", 63, 47, {CV_8UC1, CV_8UC2}, {"\x7b", "\x5b\xaf"}, -1},
    {"I420", 62, 48, {CV_8UC1, CV_8UC1, CV_8UC1}, {"\x7b", "\x5b", "\xaf"}, 3},
    {"YV12", 62, 48, {CV_8UC1, CV_8UC1, CV_8UC1}, {"\x7b", "\xaf", "\x5b"}, 3},
    {"I420", 62, 47, {CV_8UC1, CV_8UC1, CV_8UC1}, {"\x7b", "\x5b", "\xaf"}, -1},
    {"Y444", 62, 48, {CV_8UC1, CV_8UC1, CV_8UC1}, {"\x7b", "\x5b", "\xaf"}, -1},
    {"NV16", 62, 48, {CV_8UC1, CV_8UC2}, {"\x7b", "\x5b\xaf"}, -1},
    {"GRAY16_LE", 62, 48, {CV_16UC1}, {"\xff\x64"}, 0},
    {"GRAY10_LE16", 62, 48, {CV_16UC1}, {"\x92\x01"}, 0}, /* 0x64 << 2 | 2 */
    {"GRAY16_BE", 62, 48, {CV_8UC2}, {"\x64\xff"}, -1},
    {"P010_10LE", 62, 48, {CV_16UC1, CV_16UC2}, {"\x7b\x7b", "\x5b\x5b\xaf\xaf"}, -1},
    {"I420_10LE", 62, 48, {CV_16UC1, CV_16UC1, CV_16UC1}, {"\x01\x01", "\x01\x01", "\x01\x01"}, -1},
    {"RGBA64_LE", 62, 48, {CV_16UC4}, {"\xc8\xc8\x64\x64\x32\x32\x01\x01"}, -1},
    {"Y210", 62, 48, {CV_16UC2}, {"\x7b\x7b\x5b\x5b"}, -1},
    {"Y410", 62, 48, {CV_8UC4}, {"\x01\x01\x01\x01"}, -1},
    {"NV12_10LE40", 64, 48, {CV_8UC1, CV_8UC1}, {"\x01", "\x01"}, -1},
};

static bool big_endian()
{
    const std::uint16_t one = 1;
    unsigned char first;
    std::memcpy(&first, &one, 1);
    return first == 0;
}

/* Of grey, all components are the same. */
static cv::Scalar colour_of(const picture &p)
{
    return std::strncmp(p.name, "GRAY", 4) == 0 ? cv::Scalar(100, 100, 100) : cv::Scalar(50, 100, 200);
}

/* The lower half of each plane is zero. */
static void fill(framebus::writable_frame &frame, const picture &p)
{
    for (unsigned i = 0; i < frame.format().planes; i++) {
        const framebus::plane_span plane = frame.plane(i);
        const std::size_t length = std::strlen(p.bytes[i]);
        for (std::size_t y = 0; y < plane.rows; y++)
            for (std::size_t x = 0; x < plane.row_bytes; x++)
                plane.row(y)[x] = static_cast<std::byte>(y < plane.rows / 2 ? p.bytes[i][x % length] : 0);
    }
}

static void serve(framebus::writer &writer, bool until_there_are_readers)
{
    const auto limit = framebus::clock::now() + 20s;
    while ((framebus::info(writer)->readers != 0) != until_there_are_readers) {
        CHECK(framebus::clock::now() < limit);
        pollfd wait = {writer.fd(), POLLIN, 0};
        poll(&wait, 1, 5);
        writer.dispatch();
    }
}

static void write(const std::string &bus)
{
    framebus::writer_options options;
    options.lossless = true;
    options.lossless_timeout = 20s;
    framebus::writer writer(bus, options);
    serve(writer, true);
    for (const picture &p : pictures) {
        writer.set_format(framebus::format(p.name, static_cast<std::uint32_t>(p.columns),
                                           static_cast<std::uint32_t>(p.rows)));
        framebus::writable_frame frame = writer.begin();
        fill(frame, p);
        CHECK(framebus::mat(frame).data == static_cast<void *>(frame.plane().data));
        frame.publish();
    }
    writer.set_format(framebus::format::payload("image/jpeg", 100));
    framebus::writable_frame frame = writer.begin(4);
    framebus::mat(frame).setTo(7);
    frame.set_size(3);
    frame.publish();
    writer.end();
    serve(writer, false);
}

static void look_at(const framebus::frame &frame, const picture &p, cv::Mat &out)
{
    const std::string where = framebus::describe(frame.format());
    for (unsigned i = 0; i < frame.format().planes; i++) {
        const cv::Mat view = framebus::mat(frame, i);
        const framebus::plane_view plane = frame.plane(i);
        if (!big_endian() && view.type() != p.type[i])
            failed(__LINE__, "type", where + ": " + cv::typeToString(view.type()));
        if (view.data != static_cast<const void *>(plane.data) || view.step[0] != plane.stride ||
            static_cast<std::size_t>(view.rows) != plane.rows ||
            view.total() * view.elemSize() != plane.rows * plane.row_bytes)
            failed(__LINE__, "view", where);
    }
    if (big_endian())
        return;
    try {
        framebus::bgr(frame, out);
        if (p.tolerance < 0)
            failed(__LINE__, "it becomes BGR", where);
    } catch (const framebus::error &error) {
        if (p.tolerance >= 0 || error.code() != std::errc::not_supported ||
            !std::strstr(error.what(), p.name))
            failed(__LINE__, error.what(), where);
        return;
    }
    if (out.type() != CV_8UC3 || out.cols != p.columns || out.rows != p.rows)
        failed(__LINE__, "size", where);
    cv::Mat difference;
    cv::absdiff(out.rowRange(0, p.rows / 2), colour_of(p), difference);
    double most;
    cv::minMaxLoc(difference.reshape(1), nullptr, &most);
    if (most > p.tolerance)
        failed(__LINE__, "colour", where + ": off by " + std::to_string(most));
    if (p.bytes[1] == nullptr && p.type[0] != CV_8UC2) {
        cv::minMaxLoc(out.rowRange(p.rows / 2, p.rows).reshape(1), nullptr, &most);
        if (most != 0)
            failed(__LINE__, "the lower half is black", where);
    }
}

static void read(const std::string &bus)
{
    framebus::reader_options options;
    options.wait = 20s;
    options.delivery = framebus::delivery::lossless;
    framebus::reader reader(bus, options);
    const picture *next = pictures;
    cv::Mat out;
    bool payload = false;
    for (const framebus::frame &frame : reader) {
        if (next < std::end(pictures)) {
            CHECK(framebus::name(frame.format()) == next->name);
            look_at(frame, *next++, out);
            continue;
        }
        const cv::Mat view = framebus::mat(frame);
        CHECK(view.rows == 1 && view.cols == 3 && view.type() == CV_8UC1 && view.at<unsigned char>(2) == 7);
        payload = true;
    }
    CHECK(payload);
}

/* White on black, 50 times a second, until SIGINT. */
static volatile std::sig_atomic_t stopped;

static void draw(const std::string &bus)
{
    framebus::writer writer(bus, framebus::format("NV12", 320, 240, {50, 1}));
    std::signal(SIGINT, [](int) { stopped = 1; });
    while (!stopped) {
        framebus::writable_frame frame = writer.begin();
        framebus::mat(frame, 0).setTo(16);
        framebus::mat(frame, 1).setTo(cv::Scalar(128, 128));
        cv::Mat luma = framebus::mat(frame);
        cv::rectangle(luma, cv::Rect(100, 50, 120, 80), cv::Scalar(235), cv::FILLED);
        frame.publish();
        std::this_thread::sleep_for(20ms);
    }
}

/* Five pictures with that rectangle's edges, and nothing else. */
static void edges(const std::string &bus)
{
    framebus::reader_options options;
    options.wait = 20s;
    options.follow = true;
    framebus::reader reader(bus, options);
    int count = 0;
    for (const framebus::frame &frame : reader) {
        const cv::Mat seen = framebus::mat(frame);
        CHECK(framebus::name(frame.format()) == "GRAY8" && seen.cols == 320 && seen.rows == 240);
        CHECK(frame.captured() < frame.published());
        const int border = cv::countNonZero(seen(cv::Rect(96, 46, 128, 88))), all = cv::countNonZero(seen),
                  inside = cv::countNonZero(seen(cv::Rect(104, 54, 112, 72)));
        CHECK(border > 300 && all == border && inside == 0);
        if (++count == 5)
            break;
    }
}

int main(int argc, char **argv)
{
    const std::string role = argc > 1 ? argv[1] : "", bus = argc > 2 ? argv[2] : "";
    try {
        if (role == "write")
            write(bus);
        else if (role == "read")
            read(bus);
        else if (role == "draw")
            draw(bus);
        else if (role == "edges")
            edges(bus);
        else
            return 2;
    } catch (const std::exception &error) {
        std::cerr << "opencv-peer " << role << ": " << error.what() << '\n';
        return 1;
    }
    return 0;
}
