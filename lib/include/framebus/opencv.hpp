/* SPDX-License-Identifier: MIT */
/**
 * @file
 * Frames as cv::Mat: a view of a plane without a copy, and any frame that OpenCV can convert as BGR. A
 * program is compiled with OpenCV's headers too, and linked with opencv_core and opencv_imgproc.
 */
#ifndef FRAMEBUS_OPENCV_HPP
#define FRAMEBUS_OPENCV_HPP

#include <framebus.hpp>

#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

namespace framebus
{

namespace detail
{

/* The type of a plane's elements, such as CV_8UC3. What OpenCV has no name for (packed 10 bits, the other
 * byte order) is bytes: as many to an element as a pixel has, or one. */
inline int mat_type(const framebus_format_info &info, unsigned plane)
{
    const unsigned bytes = info.plane[plane].bytes, pixels = info.plane[plane].pixels;
    const std::uint16_t one = 1;
    unsigned char first;
    std::memcpy(&first, &one, 1);
    const bool big = (info.fourcc & UINT32_C(1) << 31) != 0, native = big != (first == 1);
    const bool words = info.depth > 8 && native && bytes % (2 * pixels) == 0 &&
                       (bytes != 4 || pixels != 1 || info.planes > 1); /* 4: three components in one word */
    if (bytes % pixels != 0)
        return CV_8UC1;
    return words ? CV_MAKETYPE(CV_16U, static_cast<int>(bytes / pixels / 2))
                 : CV_MAKETYPE(CV_8U, static_cast<int>(bytes / pixels));
}

/* Frame is a frame or a writable_frame. cv::Mat knows no constant memory. */
template <class Frame> cv::Mat mat_of(const Frame &frame, unsigned plane, std::uint64_t size)
{
    const framebus_frame &c = frame.c();
    const framebus_format &format = *c.format;
    if (!c.data)
        throw error(ENOTSUP, describe(format) + " in memory that is not mapped cannot be a cv::Mat");
    if (format.planes == 0 && plane == 0)
        return cv::Mat(1, static_cast<int>(size), CV_8UC1, c.data);
    const auto view = plane_of<std::byte>(c, plane);
    const framebus_format_info *info = framebus_format_find(format.fourcc);
    if (!info || format.modifier)
        throw error(ENOTSUP, describe(format) + " has no rows of pixels that could be a cv::Mat");
    const int type = mat_type(*info, plane);
    return cv::Mat(static_cast<int>(view.rows),
                   static_cast<int>(view.row_bytes / static_cast<std::size_t>(CV_ELEM_SIZE(type))), type,
                   view.data, view.stride);
}

/* How a format becomes BGR. */
struct bgr_way {
    const char *name;
    int code;        /* of cv::cvtColor() */
    unsigned planes; /* that it takes: 1, 2, or 3 in one piece */
    int order[6];    /* of cv::mixChannels(), if code is negative */
};

inline const bgr_way *bgr_way_of(std::string_view name)
{
    static constexpr bgr_way ways[] = {
        {"GRAY8", cv::COLOR_GRAY2BGR, 1, {}},    {"RGB15", cv::COLOR_BGR5552BGR, 1, {}},
        {"BGR15", cv::COLOR_BGR5552RGB, 1, {}},  {"RGB16", cv::COLOR_BGR5652BGR, 1, {}},
        {"BGR16", cv::COLOR_BGR5652RGB, 1, {}},  {"BGR", -1, 1, {0, 0, 1, 1, 2, 2}},
        {"RGB", cv::COLOR_RGB2BGR, 1, {}},       {"BGRx", cv::COLOR_BGRA2BGR, 1, {}},
        {"BGRA", cv::COLOR_BGRA2BGR, 1, {}},     {"RGBx", cv::COLOR_RGBA2BGR, 1, {}},
        {"RGBA", cv::COLOR_RGBA2BGR, 1, {}},     {"xRGB", -1, 1, {3, 0, 2, 1, 1, 2}},
        {"ARGB", -1, 1, {3, 0, 2, 1, 1, 2}},     {"xBGR", -1, 1, {1, 0, 2, 1, 3, 2}},
        {"ABGR", -1, 1, {1, 0, 2, 1, 3, 2}},     {"YUY2", cv::COLOR_YUV2BGR_YUY2, 1, {}},
        {"YVYU", cv::COLOR_YUV2BGR_YVYU, 1, {}}, {"UYVY", cv::COLOR_YUV2BGR_UYVY, 1, {}},
        {"NV12", cv::COLOR_YUV2BGR_NV12, 2, {}}, {"NV21", cv::COLOR_YUV2BGR_NV21, 2, {}},
        {"I420", cv::COLOR_YUV2BGR_I420, 3, {}}, {"YV12", cv::COLOR_YUV2BGR_YV12, 3, {}},
    };
    for (const bgr_way &way : ways)
        if (name == way.name)
            return &way;
    return nullptr;
}

/* Three planes as cv::cvtColor() wants them: one below the other, without padding. */
template <class Frame> cv::Mat in_one_piece(const Frame &frame)
{
    const cv::Mat luma = mat_of(frame, 0, 0);
    cv::Mat all(luma.rows * 3 / 2, luma.cols, CV_8UC1);
    unsigned char *to = all.data;
    for (unsigned i = 0; i < 3; i++) {
        const cv::Mat from = mat_of(frame, i, 0);
        from.copyTo(cv::Mat(from.rows, from.cols, CV_8UC1, to));
        to += from.total();
    }
    return all;
}

} // namespace detail

/** @defgroup cpp_opencv C++: OpenCV
 *  @{ */

/**
 * Returns a view of a plane, without a copy: CV_8UC1 to CV_8UC4, or CV_16U where a component has more than 8
 * bits, with as many channels as a pixel has components in that plane. A YUY2 picture has two (luma, chroma)
 * and an even width. A payload is one row of bytes, as cv::imdecode() takes them.
 *
 * The view is valid as long as the frame, which it does not keep: clone() makes a copy. It must not be
 * written to, which would be a SIGSEGV; cv::Mat cannot say so. Any thread. std::out_of_range: the format has
 * fewer planes. ENOTSUP: tiled or compressed pictures, and memory that is not mapped.
 */
inline cv::Mat mat(const frame &frame, unsigned plane = 0)
{
    return detail::mat_of(frame, plane, frame.c().size);
}

/** Returns a view of a slot's plane, to write to. OpenCV's functions write to it in place if size and type of
 * their result are the same, and go elsewhere in silence if not. Otherwise as above. */
inline cv::Mat mat(writable_frame &frame, unsigned plane = 0)
{
    return detail::mat_of(frame, plane, frame.c().capacity);
}

/**
 * Converts a picture to BGR, in memory of its own: `out` is CV_8UC3 of the size of the picture, and is
 * allocated again only if it is not yet. RGB with and without alpha, grey, YUY2, YVYU, UYVY, NV12, NV21, I420
 * and YV12 are converted; of grey with more than 8 bits the highest ones are taken. YUV is taken for BT.601
 * with limited range, which is all that OpenCV knows. Any thread. ENOTSUP: OpenCV has no conversion for this
 * format, or for its odd size.
 */
inline void bgr(const frame &frame, cv::Mat &out)
{
    const framebus_format &format = frame.format();
    const detail::bgr_way *way = detail::bgr_way_of(name(format));
    const int width = static_cast<int>(format.width), height = static_cast<int>(format.height);

    if (way && way->planes > 1 && (width % 2 != 0 || height % 2 != 0))
        way = nullptr;
    if (way && way->code < 0) {
        out.create(height, width, CV_8UC3);
        const cv::Mat from = mat(frame);
        cv::mixChannels(&from, 1, &out, 1, way->order, 3);
    } else if (way && way->planes == 1) {
        const cv::Mat from = mat(frame);
        if (from.cols == width) {
            cv::cvtColor(from, out, way->code);
        } else { /* one more than there is, of a pair */
            cv::Mat wide;
            cv::cvtColor(from, wide, way->code);
            wide.colRange(0, width).copyTo(out);
        }
    } else if (way && way->planes == 2) {
        cv::cvtColorTwoPlane(mat(frame, 0), mat(frame, 1), out, way->code);
    } else if (way) {
        cv::cvtColor(detail::in_one_piece(frame), out, way->code);
    } else if (format.planes == 1 && mat(frame).type() == CV_16UC1) {
        cv::Mat grey;
        mat(frame).convertTo(grey, CV_8U, 256.0 / (1 << framebus_format_find(format.fourcc)->depth), -0.498);
        cv::cvtColor(grey, out, cv::COLOR_GRAY2BGR);
    } else {
        throw error(ENOTSUP, "OpenCV cannot convert " + describe(format) +
                                 " to BGR: let the writer publish another format, such as BGR");
    }
}

/** Returns the same in new memory. */
inline cv::Mat bgr(const frame &frame)
{
    cv::Mat out;
    bgr(frame, out);
    return out;
}

/** @} */

} // namespace framebus

#endif
