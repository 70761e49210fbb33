/* SPDX-License-Identifier: MIT */
/**
 * @file
 * framebus for C++17 and newer: framebus.h with destructors, exceptions and std::chrono. Header only; a
 * program is linked with the same library (`pkg-config framebus`). framebus/opencv.hpp adds pictures for
 * OpenCV.
 *
 * These conventions hold for everything below; framebus.h says more about each function:
 *  - What fails throws framebus::error, a std::system_error. Its what() is framebus_last_error()'s sentence,
 *    its code() the errno.
 *  - Times are time points of std::chrono::steady_clock, which is CLOCK_MONOTONIC. A wait of `forever` has no
 *    limit; one of zero, or less, does not wait. A signal handler that runs meanwhile does not end it; stop()
 *    does.
 *  - An option that is left alone has the default of framebus.h.
 *  - What was moved from is empty. An empty frame, reader or writer may be destroyed, assigned to, stopped,
 *    released and asked by its operator bool; everything else throws std::logic_error.
 */
#ifndef FRAMEBUS_HPP
#define FRAMEBUS_HPP

#include <framebus.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace framebus
{

/** The clock of frames: CLOCK_MONOTONIC. */
using clock = std::chrono::steady_clock;
/** A time of frames. */
using time_point = clock::time_point;
/** A time span of frames. */
using nanoseconds = std::chrono::nanoseconds;

/** A wait without limit. */
inline constexpr nanoseconds forever = nanoseconds::max();

/** @defgroup cpp_error C++: errors
 *  @{ */

/** A function of framebus failed. what() is the sentence about it, code() the errno in
 * std::generic_category(). */
class error : public std::system_error
{
  public:
    /** Takes the sentence of framebus_last_error(). `number` is a positive errno. */
    explicit error(int number) : error(number, framebus_last_error())
    {
    }

    /** Has this sentence. */
    error(int number, const std::string &sentence)
        : std::system_error(number, std::generic_category()), sentence_(sentence)
    {
    }

    /** Returns what was wrong, with which value, and what to do: a text that lives as long as this. */
    const char *what() const noexcept override
    {
        return sentence_.what();
    }

  private:
    std::runtime_error sentence_; /* can be copied without throwing, unlike a string */
};

/** The stream has ended (ENODATA); the reader can wait for the next one. */
class end_of_stream : public error
{
  public:
    using error::error;
};

/** The writer is gone, and each frame that it left was delivered (EPIPE); only close makes sense now. */
class writer_gone : public error
{
  public:
    using error::error;
};

/** stop() was called, or cancel_fd is readable (ECANCELED). */
class cancelled : public error
{
  public:
    using error::error;
};

/** @} */

namespace detail
{

/* Returns the result of a call that went well; throws otherwise. */
inline int check(int r)
{
    switch (r) {
    case -ENODATA:
        throw end_of_stream(-r);
    case -EPIPE:
        throw writer_gone(-r);
    case -ECANCELED:
        throw cancelled(-r);
    default:
        if (r < 0)
            throw error(-r);
        return r;
    }
}

/* Closes a reader, writer or monitor. */
struct closer {
    void operator()(framebus_reader *reader) const noexcept
    {
        framebus_reader_close(reader);
    }

    void operator()(framebus_writer *writer) const noexcept
    {
        framebus_writer_close(writer);
    }

    void operator()(framebus_monitor *monitor) const noexcept
    {
        framebus_monitor_close(monitor);
    }
};

/* Gives a frame back to the reader or writer that lent it. */
template <class Handle, void (*release)(Handle *, framebus_frame *)> struct releaser {
    Handle *of = nullptr;

    void operator()(framebus_frame *frame) const noexcept
    {
        release(of, frame);
    }
};

/* Returns what is not empty. */
template <class Pointer> typename Pointer::pointer full(const Pointer &owner)
{
    if (!owner)
        throw std::logic_error("this framebus object is empty: it was moved from, released or closed");
    return owner.get();
}

/* As a timeout of framebus.h. */
inline std::int64_t timeout(nanoseconds limit) noexcept
{
    return limit == forever ? -1 : limit.count() < 0 ? 0 : limit.count();
}

/* Calls with the time that is left, again after each signal. */
template <class Call> int wait(nanoseconds limit, Call call)
{
    const std::int64_t all = timeout(limit), begin = all > 0 ? framebus_now() : 0;
    std::int64_t left = all;

    for (;;) {
        const int r = call(left);
        if (r != -EINTR)
            return r;
        if (all > 0) {
            const std::int64_t gone = framebus_now() - begin;
            left = gone < all ? all - gone : 0;
        }
    }
}

inline time_point time_of(std::int64_t ns) noexcept
{
    return time_point(std::chrono::duration_cast<clock::duration>(nanoseconds(ns)));
}

inline std::int64_t ns_of(time_point time) noexcept
{
    return std::chrono::duration_cast<nanoseconds>(time.time_since_epoch()).count();
}

/* A text of framebus.h, where none is NULL. */
inline const char *text(const std::string &string) noexcept
{
    return string.empty() ? nullptr : string.c_str();
}

} // namespace detail

/** @defgroup cpp_format C++: formats
 *  @{ */

/** A fraction, such as a frame rate: num in den seconds. */
struct rational {
    std::uint32_t num = 0; /**< 0: variable or unknown */
    std::uint32_t den = 1; /**< at least 1 */
};

/** Returns GStreamer's name of a picture's format (NV12, BGR, ...), which is static; "" for a payload or an
 * unknown format. Any thread. */
inline std::string_view name(const framebus_format &format) noexcept
{
    const char *known = framebus_format_name(&format);
    return known ? known : "";
}

/** Returns a short description, such as "NV12 1920x1080 60/1". Any thread. */
inline std::string describe(const framebus_format &format)
{
    char text[FRAMEBUS_NAME_MAX + 64];
    return framebus_format_describe(&format, text, sizeof text);
}

/** Returns whether every field of both is equal, caps as text. Any thread. */
inline bool equal(const framebus_format &a, const framebus_format &b) noexcept
{
    return framebus_format_equal(&a, &b);
}

/**
 * A format that owns its caps text. Its fields are those of struct framebus_format; set caps by set_caps()
 * only.
 *
 * Thread-safety: as an int.
 */
class format : public framebus_format
{
  public:
    /** A linear picture of this format, named as in GStreamer, DRM or ffmpeg (framebus_format_by_name()), of
     * so many pixels. EINVAL: no such name, a side out of range, or a rate that is none. */
    format(std::string_view name, std::uint32_t columns, std::uint32_t rows, rational rate = {})
        : framebus_format{}
    {
        detail::check(framebus_format_init_name(this, std::string(name).c_str(), columns, rows));
        rate_num = rate.num;
        rate_den = rate.num ? rate.den : 0;
        detail::check(framebus_format_check(this));
    }

    /** The format of payloads (JPEG, H.264, ...) with this caps text; `room` is a first guess at the largest
     * payload in bytes. EINVAL: no caps, caps too long, room 0. */
    static format payload(const std::string &caps, std::uint64_t room)
    {
        framebus_format made{};
        detail::check(framebus_format_init_opaque(&made, caps.c_str(), room));
        return format(made);
    }

    /** A copy of another, caps included: of a frame's, for instance, which lives no longer than the frame. */
    explicit format(const framebus_format &other)
        : framebus_format(other), text_(other.caps ? other.caps : "")
    {
        caps = detail::text(text_);
    }

    /** Copies; caps included. */
    format(const format &other) : format(static_cast<const framebus_format &>(other))
    {
    }

    /** Copies; caps included. */
    format &operator=(const format &other)
    {
        std::string text = other.text_; /* may throw, before anything is changed */
        static_cast<framebus_format &>(*this) = other;
        text_ = std::move(text);
        caps = detail::text(text_);
        return *this;
    }

    ~format() = default;

    /** Replaces the GStreamer caps text; "" removes it. */
    void set_caps(const std::string &text)
    {
        text_ = text;
        caps = detail::text(text_);
    }

    /** As framebus::name(). */
    std::string_view name() const noexcept
    {
        return framebus::name(*this);
    }

    /** As framebus::describe(). */
    std::string describe() const
    {
        return framebus::describe(*this);
    }

    /** As equal(). */
    friend bool operator==(const format &a, const format &b) noexcept
    {
        return equal(a, b);
    }

    /** Not equal(). */
    friend bool operator!=(const format &a, const format &b) noexcept
    {
        return !equal(a, b);
    }

  private:
    std::string text_;
};

/** @}
 *  @defgroup cpp_frame C++: frames
 *  @{ */

/** Bytes in a row, which belong to somebody else. A std::span can be made of it. */
template <class Byte> class byte_range
{
  public:
    /** So many bytes from there. */
    constexpr byte_range(Byte *data, std::size_t size) noexcept : data_(data), size_(size)
    {
    }

    /** Returns the first byte; NULL if the memory is not mapped, see framebus_reader_options.dmabuf. */
    constexpr Byte *data() const noexcept
    {
        return data_;
    }

    /** Returns the number of bytes. */
    constexpr std::size_t size() const noexcept
    {
        return size_;
    }

    /** Returns the first byte's place. */
    constexpr Byte *begin() const noexcept
    {
        return data_;
    }

    /** Returns the place behind the last byte. */
    constexpr Byte *end() const noexcept
    {
        return data_ + size_;
    }

  private:
    Byte *data_;
    std::size_t size_;
};

/** Bytes of a reader's frame: mapped read-only, a write to them is a SIGSEGV. */
using byte_view = byte_range<const std::byte>;
/** Bytes of a writer's frame. */
using byte_span = byte_range<std::byte>;

/** One plane of a picture. It belongs to the frame, and is valid as long. */
template <class Byte> struct basic_plane {
    Byte *data;            /**< first byte; NULL if the memory is not mapped */
    std::size_t stride;    /**< bytes from one row to the next */
    std::size_t row_bytes; /**< bytes of a row, without padding; 0 for an unknown format */
    std::size_t rows;      /**< number of rows; likewise */

    /** Returns the first byte of row y, which is below `rows`. */
    Byte *row(std::size_t y) const noexcept
    {
        return data + y * stride;
    }
};

/** A plane of a reader's frame: mapped read-only. */
using plane_view = basic_plane<const std::byte>;
/** A plane of a writer's frame. */
using plane_span = basic_plane<std::byte>;

namespace detail
{

template <class Byte> basic_plane<Byte> plane_of(const framebus_frame &frame, unsigned index)
{
    const framebus_format &format = *frame.format;
    if (index >= format.planes)
        throw std::out_of_range(describe(format) + " has " + std::to_string(format.planes) +
                                " planes, and no plane " + std::to_string(index));
    return {static_cast<Byte *>(frame.plane[index].data), frame.plane[index].stride,
            framebus_format_row_bytes(&format, index), framebus_format_rows(&format, index)};
}

} // namespace detail

/**
 * A frame that a reader holds, or none. It is unchanged until the destructor gives it back, and may outlive
 * the reader. Held frames count against the reader's quota. Nothing here makes a system call or blocks.
 *
 * Moves, and cannot be copied. Thread-safety: as an int; it may be moved to another thread, and destroyed
 * there.
 */
class frame
{
  public:
    /** None. */
    frame() noexcept = default;

    /** Takes over a frame that framebus_reader_next() lent. */
    frame(framebus_reader *reader, framebus_frame *lent) noexcept : frame_(lent, {reader})
    {
    }

    /** Gives the frame back, if there is one; this is empty then. Never blocks. */
    void release() noexcept
    {
        frame_.reset();
    }

    /** Returns whether there is a frame. */
    explicit operator bool() const noexcept
    {
        return static_cast<bool>(frame_);
    }

    /** Returns the number of the frame since the bus began. */
    std::uint64_t sequence() const
    {
        return c().sequence;
    }

    /** Returns how many frames this reader lost directly before this one. */
    std::uint64_t missed() const
    {
        return c().missed;
    }

    /** Returns when the picture was taken, as its writer says. */
    time_point captured() const
    {
        return detail::time_of(c().capture_ns);
    }

    /** Returns when it was taken by another clock, one of enum framebus_clock, or 0: whichever the source had
     * first; nullopt: it did not say. */
    std::optional<framebus_clock_time> clock_time(std::uint32_t which = 0) const
    {
        framebus_clock_time told{};
        const int r = framebus_frame_get_clock_time(&c(), which, &told);
        if (r == -ENODATA)
            return std::nullopt;
        detail::check(r);
        return told;
    }

    /** Returns when it was published. */
    time_point published() const
    {
        return detail::time_of(c().publish_ns);
    }

    /** Returns the time until the next frame is due; 0: unknown. */
    nanoseconds duration() const
    {
        return nanoseconds(c().duration_ns);
    }

    /** Returns whether these bits of enum framebus_frame_flag are all set. */
    bool has(unsigned flags) const
    {
        return (c().flags & flags) == flags;
    }

    /** Returns the part of the picture that is to be shown. */
    const framebus_rect &crop() const
    {
        return c().crop;
    }

    /** Returns the format, which is valid as long as the frame: framebus::format makes a copy. */
    const framebus_format &format() const
    {
        return *c().format;
    }

    /** Returns a number that is equal in two frames of one reader only if their formats are equal. */
    std::uint32_t format_serial() const
    {
        return c().format_serial;
    }

    /** Returns the pixels in a row. */
    std::uint32_t width() const
    {
        return format().width;
    }

    /** Returns the rows of the picture. */
    std::uint32_t height() const
    {
        return format().height;
    }

    /** Returns a plane. std::out_of_range: the format has fewer; a payload has none. */
    plane_view plane(unsigned index = 0) const
    {
        return detail::plane_of<const std::byte>(c(), index);
    }

    /** Returns all bytes that are used: a payload, or a picture with its padding. */
    byte_view bytes() const
    {
        return {static_cast<const std::byte *>(c().data), static_cast<std::size_t>(c().size)};
    }

    /** Returns the bytes of block `index` of the metadata with this tag (0: the first); empty, with data()
     * NULL, if there is none. */
    byte_view meta(std::uint32_t tag, unsigned index = 0) const
    {
        std::size_t size = 0;
        const void *data = framebus_frame_get_meta(&c(), tag, index, &size);
        return {static_cast<const std::byte *>(data), data ? size : 0};
    }

    /** Returns the same in place, as a T; NULL if there is no such block, or if it is smaller than a T.
     * Whoever writes to the bus chose the bytes: check them. */
    template <class T> const T *meta_as(std::uint32_t tag, unsigned index = 0) const
    {
        static_assert(std::is_trivially_copyable<T>::value && alignof(T) <= 8, "bytes in shared memory");
        const byte_view block = meta(tag, index);
        return block.size() < sizeof(T) ? nullptr : reinterpret_cast<const T *>(block.data());
    }

    /** Returns the frame for functions of framebus.h (DMA-BUFs, ...). It must not be released there. */
    const framebus_frame &c() const
    {
        return *detail::full(frame_);
    }

  private:
    std::unique_ptr<framebus_frame, detail::releaser<framebus_reader, framebus_reader_release>> frame_;
};

/** @}
 *  @defgroup cpp_reader C++: reader
 *  @{ */

/** What becomes of frames that a reader is too slow for. */
enum class delivery {
    live = FRAMEBUS_DELIVERY_LIVE,         /**< the oldest ones are missed */
    latest = FRAMEBUS_DELIVERY_LATEST,     /**< all but the newest one are missed */
    lossless = FRAMEBUS_DELIVERY_LOSSLESS, /**< the writer waits; it must have been opened lossless too */
};

/** Options of a reader: those of struct framebus_reader_options. */
struct reader_options {
    framebus::delivery delivery = framebus::delivery::live; /**< what becomes of frames it is too slow for */
    std::uint32_t quota = 0;                                /**< limit of frames held at one time [2] */
    nanoseconds wait{0};        /**< time that opening waits for a writer to appear */
    bool follow = false;        /**< when the writer goes, wait for the next one */
    int cancel_fd = 0;          /**< another way to stop(): while this fd is readable [none]; the caller's */
    std::string label = {};     /**< name shown in listings [the process's] */
    nanoseconds spin{0};        /**< time to look for a frame before sleeping, at most 50 ms */
    bool dmabuf = false;        /**< ask for DMA-BUFs */
    std::uint32_t max_rate = 0; /**< most frames in 1000 seconds that are wanted [all] */
    std::uint32_t anticipate = 0; /**< percent of a processor that waiting for a frame may take [none] */
    int fd = 0;                   /**< a socket that is connected to the bus; its name is then "" [none] */
    bool tell_gone = false;       /**< with follow: writer_gone is thrown once for each writer that goes */
};

/**
 * A reader of a bus. A range-for over it gives each frame, and ends with the stream, or by stop():
 *
 *     for (const framebus::frame &frame : reader)
 *         look_at(frame);
 *
 * Thread-safety: one thread at a time may call anything. Exceptions: stop() and resume(), and the destructors
 * of frames, may come from any thread at any time while the reader lives.
 * Moves, and cannot be copied; not while stop() may be called.
 */
class reader
{
  public:
    class iterator;

    /** The end of a range-for. */
    struct sentinel {
    };

    /** Attaches to a bus, by name or path, or by options.fd. Blocks for options.wait until there is a writer,
     * and then until it answers, at most 5 s. Errors: those of framebus_reader_open(). */
    explicit reader(const std::string &bus, const reader_options &options = {}) : follow_(options.follow)
    {
        framebus_reader *opened = nullptr;
        framebus_reader_options c{};
        c.delivery = static_cast<framebus_delivery>(options.delivery);
        c.quota = options.quota;
        c.follow = options.follow;
        c.cancel_fd = options.cancel_fd;
        c.label = detail::text(options.label);
        c.spin_ns = options.spin.count();
        c.dmabuf = options.dmabuf;
        c.max_rate = options.max_rate;
        c.anticipate = options.anticipate;
        c.fd = options.fd;
        c.tell_gone = options.tell_gone;
        detail::check(detail::wait(options.wait, [&](std::int64_t left) {
            c.wait_ns = left;
            return framebus_reader_open(&opened, bus.c_str(), &c);
        }));
        reader_.reset(opened);
    }

    /** Detaches; frames that are held stay valid. Not while stop() may be called. */
    void close() noexcept
    {
        reader_.reset();
    }

    /** Returns whether the reader is open. */
    explicit operator bool() const noexcept
    {
        return static_cast<bool>(reader_);
    }

    /** Waits for the next frame, without limit. Errors: end_of_stream, writer_gone, cancelled, and those of
     *  framebus_reader_next(); EBUSY: quota frames are held. */
    frame next()
    {
        return std::move(*next(forever));
    }

    /** Waits for the next frame, at most that long; nullopt: none came. A frame that is there costs no system
     * call. Errors: as above. */
    std::optional<frame> next(nanoseconds limit)
    {
        framebus_frame *lent = nullptr;
        const int r =
            detail::wait(limit, [&](std::int64_t left) { return framebus_reader_next(c(), &lent, left); });
        return taken(r, lent);
    }

    /** Returns the newest frame there is, without waiting, also if it was delivered before; nullopt: there is
     * none yet. Older frames are left out, and count as missed. Errors: as above. */
    std::optional<frame> newest()
    {
        framebus_frame *lent = nullptr;
        const int r = framebus_reader_newest(c(), &lent);
        return taken(r, lent);
    }

    /** Waits for the first frame of a range-for. With `follow` the loop goes on with the next stream and the
     * next writer. Errors: as those of next(); end_of_stream and cancelled end the loop instead. */
    iterator begin();

    /** Returns the end of a range-for. */
    sentinel end() const noexcept
    {
        return {};
    }

    /** Cancels: next() throws `cancelled`, a call that waits at once, and every later one, until resume(); a
     * range-for ends. Any thread and any signal handler. errno stays as it is. Never blocks. */
    void stop() noexcept
    {
        if (reader_)
            framebus_reader_cancel(reader_.get());
    }

    /** Ends what stop() began. Any thread. Never blocks. */
    void resume() noexcept
    {
        if (reader_)
            framebus_reader_resume(reader_.get());
    }

    /** Returns a file descriptor for event loops: level-triggered, readable while next(0ns) would return a
     * frame or throw. It belongs to the reader: do not read or close it. Errors: those of
     * framebus_reader_fd(). */
    int fd() const
    {
        return detail::check(framebus_reader_fd(c()));
    }

    /** Returns the format of the stream; nullopt before there is one. */
    std::optional<framebus::format> format() const
    {
        const framebus_format *known = framebus_reader_format(c());
        return known ? std::optional<framebus::format>(*known) : std::nullopt;
    }

    /** Changes how many frames may be held at one time. Blocks for the writer's answer, at most 1 s. Errors:
     * those of framebus_reader_set_quota(). */
    void set_quota(std::uint32_t quota)
    {
        detail::check(detail::wait(nanoseconds(0),
                                   [&](std::int64_t) { return framebus_reader_set_quota(c(), quota); }));
    }

    /** Asks for a key frame of an encoded stream, as framebus_reader_request_key_frame(). Any thread, beside
     * any call but close. Never blocks. */
    void request_key_frame()
    {
        framebus_reader_request_key_frame(c());
    }

    /** Returns counts and state. Does not block. */
    framebus_reader_stats stats() const
    {
        framebus_reader_stats told{};
        framebus_reader_get_stats(c(), &told);
        return told;
    }

    /** Returns the reader for functions of framebus.h. It must not be closed there. */
    framebus_reader *c() const
    {
        return detail::full(reader_);
    }

  private:
    std::optional<frame> taken(int r, framebus_frame *lent)
    {
        if (r == -ETIMEDOUT)
            return std::nullopt;
        detail::check(r);
        return frame(c(), lent);
    }

    std::unique_ptr<framebus_reader, detail::closer> reader_;
    bool follow_ = false;
};

/** A place in a range-for: holds the frame there until it moves on. Cannot be copied. */
class reader::iterator
{
  public:
    using iterator_category = std::input_iterator_tag; /**< one pass */
    using value_type = frame;                          /**< what it is of */
    using difference_type = std::ptrdiff_t;            /**< distance */
    using pointer = frame *;                           /**< of a frame */
    using reference = frame &;                         /**< of a frame */

    /** At the next frame of this reader. */
    iterator(reader &of, bool follow) : reader_(&of), follow_(follow)
    {
        ++*this;
    }

    /** Returns the frame, which may be moved from in order to keep it. */
    frame &operator*() const noexcept
    {
        return frame_;
    }

    /** As above. */
    frame *operator->() const noexcept
    {
        return &frame_;
    }

    /** Releases the frame and waits for the next one. */
    iterator &operator++()
    {
        frame_.release();
        for (;;) {
            try {
                frame_ = reader_->next();
                return *this;
            } catch (const end_of_stream &) {
                if (!follow_)
                    return *this;
            } catch (const cancelled &) {
                return *this;
            }
        }
    }

    /** As above. */
    void operator++(int)
    {
        ++*this;
    }

    /** Returns whether there is no frame any more. */
    friend bool operator==(const iterator &at, sentinel) noexcept
    {
        return !at.frame_;
    }

    /** Returns whether there is a frame. */
    friend bool operator!=(const iterator &at, sentinel) noexcept
    {
        return static_cast<bool>(at.frame_);
    }

  private:
    reader *reader_;
    mutable frame frame_; /* one may be moved from, whatever the iterator is */
    bool follow_;
};

inline reader::iterator reader::begin()
{
    return iterator(*this, follow_);
}

/** @}
 *  @defgroup cpp_writer C++: writer
 *  @{ */

/**
 * A free slot that a writer fills in and publishes, or none. Unless it was published, the destructor gives
 * the slot back, and no reader sees anything of it. May outlive the writer. Only what says so blocks.
 *
 * Moves, and cannot be copied. Thread-safety: as an int; it may be moved to another thread, and published
 * there.
 */
class writable_frame
{
  public:
    /** None. */
    writable_frame() noexcept = default;

    /** Takes over a frame that framebus_writer_begin() lent. */
    writable_frame(framebus_writer *writer, framebus_frame *lent) noexcept : frame_(lent, {writer})
    {
    }

    /** Gives the slot back unpublished, if there is one; this is empty then. Never blocks. */
    void release() noexcept
    {
        frame_.reset();
    }

    /** Returns whether there is a slot. */
    explicit operator bool() const noexcept
    {
        return static_cast<bool>(frame_);
    }

    /** Publishes the frame: every reader has it from now on, and this is empty. Never blocks. After an error
     * the slot is still here. ESTALE: its format has ended (set_format(), end()). EINVAL: size or crop are
     * wrong. */
    void publish()
    {
        framebus_frame *const lent = &c();
        detail::check(framebus_writer_publish(frame_.get_deleter().of, lent));
        release();
    }

    /** Returns the format, which is valid as long as the slot is here. */
    const framebus_format &format() const
    {
        return *c().format;
    }

    /** Returns a plane to write to. Its bytes are those of an older frame, or zero. std::out_of_range: the
     * format has fewer; a payload has none. */
    plane_span plane(unsigned index = 0)
    {
        return detail::plane_of<std::byte>(c(), index);
    }

    /** Returns all bytes of the slot; of a payload at least as many as were asked for. */
    byte_span bytes()
    {
        return {static_cast<std::byte *>(c().data), static_cast<std::size_t>(c().capacity)};
    }

    /** Says how many bytes are used, from the first one on: needed for a payload, and for nothing else. */
    void set_size(std::uint64_t size)
    {
        c().size = size;
    }

    /** Says when the picture was taken; left alone, it is the time of publishing. */
    void set_captured(time_point time)
    {
        c().capture_ns = detail::ns_of(time);
    }

    /** Says when it was taken by another clock; once for each clock. EINVAL: there is no such clock. */
    void set_clock_time(const framebus_clock_time &time)
    {
        detail::check(framebus_frame_set_clock_time(&c(), &time));
    }

    /** Says when the next frame is due, from this one on. */
    void set_duration(nanoseconds duration)
    {
        c().duration_ns = duration.count();
    }

    /** Sets the bits of enum framebus_frame_flag. */
    void set_flags(unsigned flags)
    {
        c().flags = flags;
    }

    /** Says which part of the picture is to be shown; left alone, it is all of it. */
    void set_crop(const framebus_rect &crop)
    {
        c().crop = crop;
    }

    /** Appends a block of metadata, to be filled in until the frame is published: whatever an older frame
     * left is in it. `tag` says what it means. ENOSPC: it does not fit. */
    byte_span append_meta(std::uint32_t tag, std::size_t size)
    {
        void *data = nullptr;
        detail::check(framebus_frame_append_meta(&c(), tag, size, &data));
        return {static_cast<std::byte *>(data), size};
    }

    /** Does the same, and copies the block. */
    void add_meta(std::uint32_t tag, const void *data, std::size_t size)
    {
        detail::check(framebus_frame_add_meta(&c(), tag, data, size));
    }

    /** Does the same with the bytes of a T, which has the same layout for whoever reads it. */
    template <class T> void add_meta(std::uint32_t tag, const T &value)
    {
        static_assert(std::is_trivially_copyable<T>::value && !std::is_pointer<T>::value,
                      "bytes in shared memory");
        add_meta(tag, &value, sizeof value);
    }

    /** Returns the frame for functions of framebus.h (DMA-BUFs, ...). It must not be released there. */
    framebus_frame &c() const
    {
        return *detail::full(frame_);
    }

  private:
    std::unique_ptr<framebus_frame, detail::releaser<framebus_writer, framebus_writer_release>> frame_;
};

/** Kind of memory of a writer's frames. */
enum class memory {
    memfd = FRAMEBUS_MEMORY_MEMFD, /**< sealed: readers cannot write, and nothing can be left behind */
    posix = FRAMEBUS_MEMORY_POSIX, /**< shm_open, visible in /dev/shm; not sealed */
    sysv = FRAMEBUS_MEMORY_SYSV,   /**< shmget, visible to ipcs; not sealed */
};

/** Options of a writer: those of struct framebus_writer_options. */
struct writer_options {
    framebus::memory memory = framebus::memory::memfd; /**< kind of memory */
    std::uint32_t memory_flags = 0;                    /**< bits of enum framebus_memory_flag */
    std::uint32_t history = 0;       /**< frames kept for late readers [FRAMEBUS_HISTORY_DEFAULT] */
    std::uint32_t max_slots = 0;     /**< limit of slots [64] */
    std::uint32_t max_lends = 0;     /**< limit of writable frames at one time [8] */
    std::uint32_t access_mode = 0;   /**< mode of the socket, e.g. 0660 [0600] */
    std::string group = {};          /**< name or number of the group that may read [the process's] */
    bool lossless = false;           /**< begin waits for lossless readers */
    nanoseconds lossless_timeout{0}; /**< limit of that wait [1 s] */
    int cancel_fd = 0;           /**< another way to stop(): while this fd is readable [none]; the caller's */
    std::string label = {};      /**< name shown to people [the process's] */
    bool dmabuf = false;         /**< make slots DMA-BUFs as well */
    bool dmabuf_for_all = false; /**< let readers of other users have them, which can write to them */
    bool fewer_slots = false;    /**< make do with fewer slots where address space is short */
    std::uint32_t meta_size = 0; /**< limit of metadata in a frame, in bytes [FRAMEBUS_META_DEFAULT] */
    nanoseconds poll{0}; /**< how often publishing polls the sockets [2 ms]; negative: never, as a thread
                              waits for fd() and dispatches */
};

/**
 * The writer of a bus.
 *
 * Thread-safety: any threads may call anything at any time, but for moving, assignment, close() and the
 * destructor, beside which only frames may be released.
 */
class writer
{
  public:
    /** Becomes the writer of a bus, by name or path. Blocks up to 200 ms while another one gives the name up,
     * and longer after that was killed. Errors: those of framebus_writer_open(); EADDRINUSE: another writer
     * has the name. */
    writer(const std::string &bus, const framebus_format &format, const writer_options &options = {})
    {
        open(bus, &format, options);
    }

    /** Does the same; readers can attach, and set_format() follows later. */
    explicit writer(const std::string &bus, const writer_options &options = {})
    {
        open(bus, nullptr, options);
    }

    /** Leaves the bus; the name is free at once. Not while stop() may be called. */
    void close() noexcept
    {
        writer_.reset();
    }

    /** Returns whether the writer is open. */
    explicit operator bool() const noexcept
    {
        return static_cast<bool>(writer_);
    }

    /** Lends a free slot for the next frame, with room for at least `room` bytes if that is not 0: for
     * payloads. Blocks only in a lossless writer. Errors: those of framebus_writer_begin_size(); cancelled;
     * ENODATA: there is no format yet. */
    writable_frame begin(std::uint64_t room = 0)
    {
        framebus_frame *lent = nullptr;
        call([&] { return framebus_writer_begin_size(c(), room, &lent); });
        return writable_frame(c(), lent);
    }

    /** Changes the format; readers get the remaining frames of the old one first. Does nothing if it is the
     * same. Waits for lossless readers. Errors: those of framebus_writer_set_format(); cancelled. */
    void set_format(const framebus_format &format)
    {
        call([&] { return framebus_writer_set_format(c(), &format); });
    }

    /** Ends the stream; the next begin() starts a new one. Waits for lossless readers. Errors: cancelled, and
     * others. */
    void end()
    {
        call([&] { return framebus_writer_end(c()); });
    }

    /** Cancels: what waits for lossless readers throws `cancelled`, and so does begin() at every later call,
     * until resume(). Any thread and any signal handler. errno stays as it is. Never blocks. */
    void stop() noexcept
    {
        if (writer_)
            framebus_writer_cancel(writer_.get());
    }

    /** Ends what stop() began. Any thread. Never blocks. */
    void resume() noexcept
    {
        if (writer_)
            framebus_writer_resume(writer_.get());
    }

    /** Returns a file descriptor for event loops: readable when dispatch() has something to do. It belongs to
     * the writer: do not read or close it. Errors: those of framebus_writer_fd(). */
    int fd() const
    {
        return detail::check(framebus_writer_fd(c()));
    }

    /** Serves readers, which publishing does too: for a writer that publishes rarely. Never blocks. */
    void dispatch()
    {
        detail::check(framebus_writer_dispatch(c()));
    }

    /** Counts changes of format and readers, as framebus_writer_count_changes(). Never blocks. */
    std::uint64_t count_changes() const
    {
        return framebus_writer_count_changes(c());
    }

    /** Returns true, at most once a second, if some reader waits for a key frame: it has come, has missed
     * frames or has asked. Never blocks. */
    bool wants_key_frame()
    {
        return framebus_writer_wants_key_frame(c());
    }

    /** Returns the writer for functions of framebus.h (imports, ...). It must not be closed there. */
    framebus_writer *c() const
    {
        return detail::full(writer_);
    }

  private:
    void open(const std::string &bus, const framebus_format *format, const writer_options &options)
    {
        framebus_writer *opened = nullptr;
        framebus_writer_options c{};
        c.memory = static_cast<framebus_memory>(options.memory);
        c.memory_flags = options.memory_flags;
        c.history = options.history;
        c.max_slots = options.max_slots;
        c.max_lends = options.max_lends;
        c.access_mode = options.access_mode;
        c.group = detail::text(options.group);
        c.lossless = options.lossless;
        c.lossless_timeout_ns = detail::timeout(options.lossless_timeout);
        c.cancel_fd = options.cancel_fd;
        c.label = detail::text(options.label);
        c.dmabuf = options.dmabuf;
        c.dmabuf_for_all = options.dmabuf_for_all;
        c.fewer_slots = options.fewer_slots;
        c.meta_size = options.meta_size;
        c.poll_ns = options.poll.count();
        call([&] { return framebus_writer_open(&opened, bus.c_str(), format, &c); });
        writer_.reset(opened);
    }

    template <class Call> static void call(Call again)
    {
        const int r = detail::wait(nanoseconds(0), [&](std::int64_t) { return again(); });
        if (r == -ENODATA)
            throw error(-r); /* there is no format yet; no stream has ended */
        detail::check(r);
    }

    std::unique_ptr<framebus_writer, detail::closer> writer_;
};

/** @}
 *  @defgroup cpp_list C++: listing
 *  @{ */

/** What a bus tells about itself: `->` gives everything, state, format and readers. Copies share one answer,
 * which lives as long as one of them. */
using bus_info = std::shared_ptr<const framebus_bus_info>;

namespace detail
{

/* Owns what framebus_list() and its like made. */
inline bus_info own(framebus_bus_info *infos, std::size_t count)
{
    return bus_info(infos, [count](framebus_bus_info *all) { framebus_info_free(all, count); });
}

} // namespace detail

/** Lists all buses in the runtime directory, sorted by name. Blocks at most 250 ms for each writer that does
 * not answer. Any thread. */
inline std::vector<bus_info> list()
{
    framebus_bus_info *infos = nullptr;
    std::size_t count = 0;
    detail::check(framebus_list(&infos, &count));
    const bus_info all = detail::own(infos, count);
    std::vector<bus_info> each;
    for (std::size_t i = 0; i < count; i++)
        each.emplace_back(all, infos + i);
    return each;
}

/** Asks about one bus, by name or path. ENOENT: there is none. Otherwise as list(). */
inline bus_info query(const std::string &bus)
{
    framebus_bus_info *info = nullptr;
    detail::check(framebus_query(bus.c_str(), &info));
    return detail::own(info, 1);
}

/** Tells what query() would tell about this writer's own bus, without asking. */
inline bus_info info(const writer &writer)
{
    framebus_bus_info *info = nullptr;
    detail::check(framebus_writer_get_info(writer.c(), &info));
    return detail::own(info, 1);
}

/**
 * Tells of buses and readers as they come, change and go, beginning with what is there.
 *
 * Thread-safety: one thread at a time may call anything. Moves, and cannot be copied.
 */
class monitor
{
  public:
    /** Begins to watch all buses of the runtime directory, or one, by name or path. Does not block. Errors:
     * those of framebus_monitor_open(). */
    explicit monitor(const std::string &bus = {})
    {
        framebus_monitor *opened = nullptr;
        detail::check(framebus_monitor_open(&opened, detail::text(bus)));
        monitor_.reset(opened);
    }

    /** Waits for the next event, at most that long; nullopt: nothing has happened. What it points to is valid
     * until the next call. There is no stop(): to be told of something else too, poll fd() beside it. Errors:
     * those of framebus_monitor_next(). */
    std::optional<framebus_event> next(nanoseconds limit)
    {
        framebus_event event{};
        const int r =
            detail::wait(limit, [&](std::int64_t left) { return framebus_monitor_next(c(), &event, left); });
        if (r == -ETIMEDOUT)
            return std::nullopt;
        detail::check(r);
        return event;
    }

    /** Returns a file descriptor for event loops: level-triggered, readable while there is something for
     * next(0ns), which may be nothing. It belongs to the monitor: do not read or close it. */
    int fd() const
    {
        return detail::check(framebus_monitor_fd(c()));
    }

    /** Returns the monitor for functions of framebus.h. It must not be closed there. */
    framebus_monitor *c() const
    {
        return detail::full(monitor_);
    }

  private:
    std::unique_ptr<framebus_monitor, detail::closer> monitor_;
};

/** @} */

} // namespace framebus

#endif
