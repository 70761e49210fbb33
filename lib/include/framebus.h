/* SPDX-License-Identifier: MIT */
/**
 * @mainpage framebus: video frames from one process into others, in place
 *
 * A *writer* publishes frames on a named *bus*. Any number of *readers* in other processes see each
 * frame in the memory it was written to. Readers map that memory read-only and cannot make the
 * writer wait. There is no daemon, and the library starts no thread.
 *
 * These conventions hold for everything below:
 *  - A function that returns int returns 0 (or a count) on success and a negative errno on failure.
 *    framebus_last_error() then returns a sentence that says what was wrong, and with which value.
 *  - An option or a field that is zero stands for its default. Pointers to options may be NULL.
 *  - Times are nanoseconds of CLOCK_MONOTONIC. A negative timeout waits without limit; zero does not
 *    wait. Sizes and offsets are bytes. Rectangles and dimensions are pixels.
 *  - A signal that comes while framebus_reader_next(), framebus_reader_open() with wait_ns, or a writer's
 *    begin, set_format or end sleeps ends the call with -EINTR: when a handler has run, whatever SA_RESTART
 *    says, and also when the process was stopped and goes on (SIGCONT). Nothing is lost by it, and a call
 *    that does not wait never returns it. So every such call is repeated:
 *        while ((r = framebus_reader_next(reader, &frame, -1)) == -EINTR && !stop)
 *            ;
 *    A flag like `stop` is not enough to end a program: a signal that comes just before the sleep sets it,
 *    and the call sleeps on. A handler that calls framebus_reader_cancel() or framebus_writer_cancel() is.
 *  - Handles do not survive fork(): in the child every call on them fails with -ECHILD, and close
 *    only frees memory. All file descriptors are close-on-exec.
 *
 * A program that was built with this header runs with every later library of the same soname, which is
 * kept so:
 *  - Structs that a program makes or indexes keep their size. A new field takes the place of `reserved`,
 *    which is zero, so that a program that does not know the field gets its default. Zero such structs
 *    (`= {0}`, or designated initialisers). A library that is older than the program refuses what it does
 *    not know (-ENOTSUP), in place of ignoring it.
 *  - Structs that the library alone makes, and tells by a pointer (a frame, a row of the format table), grow
 *    at the end. Their size is not to be relied on: copy the fields.
 *  - Enums and flags get new values. What a program does not know it leaves as it is, or ignores.
 *  - Functions are added, and never change what they mean.
 */
#ifndef FRAMEBUS_H
#define FRAMEBUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define FRAMEBUS_API          __attribute__((visibility("default")))
#define FRAMEBUS_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define FRAMEBUS_API
#define FRAMEBUS_PRINTF(f, a)
#endif

#define FRAMEBUS_VERSION_MAJOR 0
#define FRAMEBUS_VERSION_MINOR 9
#define FRAMEBUS_VERSION_PATCH 0

#define FRAMEBUS_NAME_MAX        64    /**< characters in the name of a bus */
#define FRAMEBUS_LABEL_MAX       31    /**< characters in the label of a reader or writer */
#define FRAMEBUS_PATH_MAX        107   /**< characters in the path of a bus's socket (sockaddr_un) */
#define FRAMEBUS_PLANES_MAX      4     /**< planes in a picture */
#define FRAMEBUS_SIDE_MAX        16384 /**< pixels along one side of a picture */
#define FRAMEBUS_SLOTS_MAX       1024  /**< slots in a pool */
#define FRAMEBUS_CAPS_MAX        65536 /**< bytes of caps text, including its terminating zero */
#define FRAMEBUS_HISTORY_DEFAULT 4     /**< history of a writer that does not ask for another */

/** @defgroup log Version, errors, log
 *  @{ */

/** Returns the version of the running library, e.g. "0.9.0": a static string. Any thread. */
FRAMEBUS_API const char *framebus_version(void);

/** Returns the present time in nanoseconds of CLOCK_MONOTONIC, by which frames are stamped. Any thread; no
 *  system call on common machines. */
FRAMEBUS_API int64_t framebus_now(void);

/**
 * Returns a sentence about the last framebus function that failed in the calling thread: what was
 * wrong, with which value, and what to do. Returns "" if none has failed yet. The text is valid until
 * the next framebus call in this thread. Any thread; does not block.
 */
FRAMEBUS_API const char *framebus_last_error(void);

/** Severity of a line of the log. */
enum framebus_log_level {
    FRAMEBUS_LOG_ERROR = 0, /**< something is lost */
    FRAMEBUS_LOG_WARNING,   /**< a peer misbehaved and was evicted, or a promise is weakened */
    FRAMEBUS_LOG_INFO,      /**< readers come and go, pools change */
    FRAMEBUS_LOG_DEBUG,     /**< everything else, including calls that failed */
};

/** Receives one line of log, without a newline. The library calls it in whichever thread logs, possibly
 *  with its own locks held: the handler must not call framebus functions, and the bus may stand still
 *  while the handler blocks. */
typedef void (*framebus_log_handler)(enum framebus_log_level level, const char *line, void *user);

/**
 * Sends the log of the whole process to a handler, which then receives all levels. NULL restores the
 * default: errors and warnings go to standard error. The environment variable FRAMEBUS_LOG (error,
 * warning, info, debug, none) chooses another level for the default. The default never blocks: lines for
 * which a full pipe has no room are left out and counted. Any thread; does not block.
 */
FRAMEBUS_API void framebus_set_log_handler(framebus_log_handler handler, void *user);

/** @}
 *  @defgroup format Formats
 *  @{ */

/** Colour, as ITU-T H.273 numbers it. 0 means unknown, like H.273's own 2: a program guesses as usual. */
struct framebus_color {
    uint8_t primaries; /**< H.273 table 2: 1 = BT.709, 5/6 = BT.601, 9 = BT.2020 */
    uint8_t transfer;  /**< H.273 table 3: 1/6 = BT.709/601, 13 = sRGB, 16 = PQ, 18 = HLG */
    uint8_t matrix;    /**< H.273 table 4: 1 = BT.709, 5/6 = BT.601, 9 = BT.2020; RGB has none */
    uint8_t range;     /**< not of H.273: 1 = limited (16-235), 2 = full (0-255) */
};

/**
 * What has to be done to a stored picture before it is shown: left and right are exchanged if
 * FRAMEBUS_ORIENTATION_MIRROR is set, and then it is turned. These are the eight orientations of EXIF
 * (numbers in brackets) and GStreamer (names in brackets).
 */
enum framebus_orientation {
    FRAMEBUS_ORIENTATION_NORMAL = 0,     /**< nothing [1, rotate-0] */
    FRAMEBUS_ORIENTATION_90 = 1,         /**< a quarter turn clockwise [6, rotate-90] */
    FRAMEBUS_ORIENTATION_180 = 2,        /**< a half turn [3, rotate-180] */
    FRAMEBUS_ORIENTATION_270 = 3,        /**< a quarter turn counter-clockwise [8, rotate-270] */
    FRAMEBUS_ORIENTATION_MIRROR = 4,     /**< left and right [2, flip-rotate-0] */
    FRAMEBUS_ORIENTATION_MIRROR_90 = 5,  /**< along the diagonal from bottom left [7, flip-rotate-90] */
    FRAMEBUS_ORIENTATION_MIRROR_180 = 6, /**< top and bottom [4, flip-rotate-180] */
    FRAMEBUS_ORIENTATION_MIRROR_270 = 7, /**< along the diagonal from top left [5, flip-rotate-270] */
};

/**
 * The format of the frames in a pool. A picture has a DRM fourcc (values and memory order as in
 * drm_fourcc.h) and planes. Any other payload (JPEG, H.264, audio, ...) has fourcc 0 and caps text;
 * `size` is then the room for one payload.
 *
 * The struct owns nothing. In a format that the library returns, caps point into memory that lives as
 * long as the frame, reader or info that the format belongs to.
 */
struct framebus_format {
    uint32_t fourcc;                      /**< DRM_FORMAT_*; 0: a payload */
    uint32_t width;                       /**< 1..FRAMEBUS_SIDE_MAX; of a payload 0 if unknown */
    uint32_t height;                      /**< likewise */
    uint32_t rate_num;                    /**< frames in rate_den seconds; 0: a variable or unknown rate */
    uint32_t rate_den;                    /**< at least 1, or 0 if rate_num is 0 */
    uint32_t aspect_num;                  /**< width of a pixel, in units of its height / aspect_den */
    uint32_t aspect_den;                  /**< 0 (if aspect_num is 0 too): pixels are square */
    struct framebus_color color;          /**< how component values become light */
    uint64_t modifier;                    /**< DRM_FORMAT_MOD_*; 0: linear */
    uint64_t size;                        /**< bytes of one frame, all planes */
    uint32_t orientation;                 /**< enum framebus_orientation; width, height and crop are those
                                               of the stored picture */
    uint32_t planes;                      /**< 1..FRAMEBUS_PLANES_MAX for pictures, 0 for payloads */
    uint32_t stride[FRAMEBUS_PLANES_MAX]; /**< bytes from one row of a plane to the next */
    uint64_t offset[FRAMEBUS_PLANES_MAX]; /**< from the start of the frame to a plane's first byte */
    const char *caps;                     /**< GStreamer caps text; NULL or "": none */
    uint64_t reserved[4];                 /**< zero */
};

/** Layout of one plane of a known fourcc. */
struct framebus_plane_layout {
    uint8_t pixels; /**< smallest number of pixels in a row that fill whole bytes */
    uint8_t bytes;  /**< bytes that those pixels take */
    uint8_t sub_x;  /**< pixels of the picture that share one sample, horizontally */
    uint8_t sub_y;  /**< likewise, vertically */
};

/** One row of the format table. Static. */
struct framebus_format_info {
    uint32_t fourcc;  /**< DRM_FORMAT_* */
    const char *name; /**< GStreamer's spelling (NV12, YUY2, BGRx, ...) */
    const char *drm;  /**< the spelling of drm_fourcc.h, without DRM_FORMAT_ (NV12, YUYV, XRGB8888) */
    uint8_t planes;   /**< number of planes */
    uint8_t depth;    /**< significant bits of a component; of the widest one if they differ */
    bool yuv;         /**< luma and chroma, as opposed to RGB */
    bool alpha;       /**< one component is opacity */
    /** layout of each plane */
    struct framebus_plane_layout plane[FRAMEBUS_PLANES_MAX];
};

/** Returns row `index` of the format table, or NULL past its end. Any thread; does not block. */
FRAMEBUS_API const struct framebus_format_info *framebus_format_at(size_t index);

/** Returns the row of a fourcc, or NULL if the table does not have it. Any thread; does not block. */
FRAMEBUS_API const struct framebus_format_info *framebus_format_find(uint32_t fourcc);

/** Returns the row with this name, or NULL: GStreamer's, DRM's or ffmpeg's spelling (NV12, YUYV, bgr24), in
 *  either case. Where two of them mean different formats (AYUV), GStreamer's wins: RGB is bytes in the order
 *  R, G, B, which DRM calls BGR888 and ffmpeg rgb24. Any thread; does not block. */
FRAMEBUS_API const struct framebus_format_info *framebus_format_by_name(const char *name);

/**
 * Fills in the format of a linear picture with GStreamer's default strides and offsets (rows padded to
 * 4 bytes, chroma rows rounded up). Everything else in *format becomes zero. Any thread; does not block.
 * -EINVAL: the fourcc is not in the table, or a side is outside 1..FRAMEBUS_SIDE_MAX.
 */
FRAMEBUS_API int framebus_format_init(struct framebus_format *format, uint32_t fourcc, uint32_t width,
                                      uint32_t height);

/** Does the same for the format of this name, see framebus_format_by_name(). -EINVAL: there is none, or a
 *  side is out of range. */
FRAMEBUS_API int framebus_format_init_name(struct framebus_format *format, const char *name, uint32_t width,
                                           uint32_t height);

/** Fills in the format of payloads with this caps text, which is not copied. `size` is a first guess at
 *  the largest payload in bytes: pools of payloads grow. -EINVAL: no caps, caps too long, size 0. */
FRAMEBUS_API int framebus_format_init_opaque(struct framebus_format *format, const char *caps, uint64_t size);

/**
 * Checks that a format is valid: sides and counts are in range, every plane lies inside `size`, strides
 * hold a row, nothing overflows, fractions are sane, caps text is terminated and not too long.
 * -EINVAL otherwise; framebus_last_error() names the field. Any thread; does not block.
 */
FRAMEBUS_API int framebus_format_check(const struct framebus_format *format);

/** Returns true if every field of both formats is equal; caps are compared as text. */
FRAMEBUS_API bool framebus_format_equal(const struct framebus_format *a, const struct framebus_format *b);

/** Returns GStreamer's name of a picture's format, a static string; NULL for a payload or an unknown fourcc.
 */
FRAMEBUS_API const char *framebus_format_name(const struct framebus_format *format);

/** Returns the bytes of one row of a plane, without padding; 0 for an unknown fourcc or plane. */
FRAMEBUS_API uint32_t framebus_format_row_bytes(const struct framebus_format *format, unsigned plane);

/** Returns the number of rows of a plane, without padding; 0 for an unknown fourcc or plane. */
FRAMEBUS_API uint32_t framebus_format_rows(const struct framebus_format *format, unsigned plane);

/** Writes a short description ("NV12 1920x1080 60/1", "image/jpeg") into text; returns text. */
FRAMEBUS_API char *framebus_format_describe(const struct framebus_format *format, char *text, size_t room);

/** @}
 *  @defgroup frame Frames
 *  @{ */

/** Bits of a frame's flags. */
enum framebus_frame_flag {
    FRAMEBUS_FRAME_DISCONT = 1 << 0,    /**< frames are missing before this one, or time jumps */
    FRAMEBUS_FRAME_DELTA = 1 << 1,      /**< decodable only with earlier frames; unset: a key frame */
    FRAMEBUS_FRAME_CORRUPTED = 1 << 2,  /**< damaged, as its source says */
    FRAMEBUS_FRAME_HEADER = 1 << 3,     /**< headers of the stream, without a picture */
    FRAMEBUS_FRAME_GAP = 1 << 4,        /**< nothing new in it */
    FRAMEBUS_FRAME_DROPPABLE = 1 << 5,  /**< no other frame depends on it */
    FRAMEBUS_FRAME_MARKER = 1 << 6,     /**< end of a unit (RTP's marker bit) */
    FRAMEBUS_FRAME_INTERLACED = 1 << 7, /**< two fields, or one */
    FRAMEBUS_FRAME_TFF = 1 << 8,        /**< the top field comes first */
    FRAMEBUS_FRAME_RFF = 1 << 9,        /**< the first field is shown once more after the other */
    FRAMEBUS_FRAME_ONE_FIELD = 1 << 10, /**< only one field: the top one if TFF is set, else the bottom one */
    FRAMEBUS_FRAME_MULTIVIEW = 1 << 11, /**< views as the caps say; unset in mixed-mono: one picture */
    FRAMEBUS_FRAME_FIRST_IN_BUNDLE = 1 << 12, /**< the first of the frames that show several views of one
                                                   moment */
};

/** Writes the names of these flags into text ("interlaced, tff"); returns text. Bits without a name are
 *  shown as a number. Any thread; does not block. */
FRAMEBUS_API char *framebus_flags_describe(uint32_t flags, char *text, size_t room);

/** A rectangle of a picture. All zero: the whole picture. */
struct framebus_rect {
    uint32_t x;      /**< pixels to the left of it */
    uint32_t y;      /**< pixels above it */
    uint32_t width;  /**< pixels in a row */
    uint32_t height; /**< rows */
};

/** Memory of one plane of a frame. */
struct framebus_plane {
    void *data;      /**< first byte of the plane */
    uint32_t stride; /**< bytes from one row to the next */
};

/**
 * A frame in a slot. It is lent to a writer from begin to release, to a reader from next to release.
 * The struct, and everything it points to, belongs to the library and is valid during that time.
 *
 * A reader's memory is mapped read-only: a write to it is a SIGSEGV. A writer may set the fields
 * marked W between begin and publish; begin sets them to the values in brackets.
 */
struct framebus_frame {
    /** never NULL */
    const struct framebus_format *format;
    uint32_t format_serial; /**< equal in two frames of one handle only if their formats are equal */
    uint32_t slot;          /**< index of the slot in its pool */
    /** format->planes of them */
    struct framebus_plane plane[FRAMEBUS_PLANES_MAX];
    void *data;                /**< first byte of the slot */
    uint64_t capacity;         /**< bytes of the slot */
    uint64_t size;             /**< W bytes used [format->size for pictures, 0 for payloads] */
    uint64_t sequence;         /**< number of the frame since the bus began; set by publish */
    uint64_t missed;           /**< frames that this reader lost directly before this one */
    int64_t capture_ns;        /**< W time of capture [0: publish sets the time of publishing] */
    int64_t publish_ns;        /**< time of publishing; set by publish */
    int64_t duration_ns;       /**< W time until the next frame is due [0: unknown] */
    uint32_t flags;            /**< W bits of enum framebus_frame_flag [0] */
    struct framebus_rect crop; /**< W part of the picture that is to be shown [all of it] */
};

/** @}
 *  @defgroup meta Metadata
 *
 *  A frame can carry blocks of metadata, which begin at multiples of 8 bytes. All blocks of a frame may
 *  take the `meta_size` that its writer was opened with, of which each block's head takes 8. A block's
 *  `tag` says what it means: choose a fourcc of your own; tags that begin with 'f','b' are reserved.
 *
 *  A reader sees blocks in place. They are the writer's memory, which a hostile writer may change while
 *  they are read: a program that does not trust the writer copies a block before it checks it.
 *  @{ */

#define FRAMEBUS_META_DEFAULT 4096    /**< meta_size of a writer that does not ask for another */
#define FRAMEBUS_META_MAX     1048576 /**< the largest meta_size */

/**
 * Appends a block to a frame that is not published yet, to be filled in by the caller until then: *data is
 * the first of its `size` bytes, and whatever an older frame left is in them. Slots get memory for
 * metadata when it is first appended, so metadata that is never used costs nothing. One thread at a time
 * for each frame; does not block.
 * -ENOSPC: the block does not fit, or, as -ENOMEM, there is no memory for it. -ESTALE: the frame's pool
 * has ended, so it cannot be published either. -EALREADY: the frame is published. -EINVAL: the frame is a
 * reader's. After a failure the frame is as it was, and *data is NULL.
 */
FRAMEBUS_API int framebus_frame_append_meta(struct framebus_frame *frame, uint32_t tag, size_t size,
                                            void **data);

/** Does the same, and copies the block's bytes from `data`. */
FRAMEBUS_API int framebus_frame_add_meta(struct framebus_frame *frame, uint32_t tag, const void *data,
                                         size_t size);

/**
 * Returns the bytes of block `index` among those with this tag (0: the first), and their number in
 * *size; NULL if there is no such block. The bytes are 8-byte aligned and valid as long as the frame.
 */
FRAMEBUS_API const void *framebus_frame_get_meta(const struct framebus_frame *frame, uint32_t tag,
                                                 unsigned index, size_t *size);

/** Returns block `index` among all blocks of the frame, with its tag and size; NULL past the last one. To
 *  look at all of them framebus_frame_next_meta() is faster. */
FRAMEBUS_API const void *framebus_frame_meta_at(const struct framebus_frame *frame, unsigned index,
                                                uint32_t *tag, size_t *size);

/** Returns the next block of the frame, with its tag and size; NULL after the last one. *at says how far
 *  one has come: 0 at first. */
FRAMEBUS_API const void *framebus_frame_next_meta(const struct framebus_frame *frame, size_t *at,
                                                  uint32_t *tag, size_t *size);

/** Clocks other than CLOCK_MONOTONIC by which a source may know when a frame was captured. */
enum framebus_clock {
    FRAMEBUS_CLOCK_REALTIME = 1, /**< UTC since 1970, as CLOCK_REALTIME: of NTP and most recorders */
    FRAMEBUS_CLOCK_TAI = 2, /**< TAI since 1970, as CLOCK_TAI: of PTP (IEEE 1588), without leap seconds */
};

/** Tag of the block with a struct framebus_clock_time: 'f','b','c','t'. */
#define FRAMEBUS_META_CLOCK_TIME 0x74636266u

/** Time of capture by another clock. The block has these 16 bytes, in the machine's byte order. */
struct framebus_clock_time {
    int64_t ns;        /**< nanoseconds since 1970-01-01 00:00:00 on that clock */
    uint32_t clock;    /**< enum framebus_clock */
    uint32_t error_ns; /**< bound of its error, as the source says; 0: unknown */
};

/** Notes when a frame was captured by such a clock, beside its capture_ns; once for each clock. -EINVAL:
 * there is no such clock. Otherwise as framebus_frame_append_meta(). */
FRAMEBUS_API int framebus_frame_set_clock_time(struct framebus_frame *frame,
                                               const struct framebus_clock_time *time);

/** Tells when a frame was captured by this clock, or, if `clock` is 0, by whichever its source had first.
 *  -ENODATA: the source did not say. */
FRAMEBUS_API int framebus_frame_get_clock_time(const struct framebus_frame *frame, uint32_t clock,
                                               struct framebus_clock_time *time);

/**
 * Copies the blocks of a frame, packed: tag and size of each (32 bits), its bytes, zeroes up to a multiple
 * of 8. Copies as many whole blocks as there is room for, and returns the number of bytes; without `bytes`
 * it returns the room that all of them need. What it copies is well-formed, whoever the writer is.
 */
FRAMEBUS_API size_t framebus_frame_copy_meta(const struct framebus_frame *frame, void *bytes, size_t room);

/** Appends packed blocks to a frame that is not published yet: all of them or, on failure, none.
 *  -EBADMSG: they are not well-formed. Otherwise as framebus_frame_append_meta(). */
FRAMEBUS_API int framebus_frame_restore_meta(struct framebus_frame *frame, const void *bytes, size_t size);

/** Returns the next one of packed blocks, which begin at a multiple of 8 bytes, as
 *  framebus_frame_next_meta() does for those of a frame. NULL also before a block that does not end within
 *  the `packed` bytes. */
FRAMEBUS_API const void *framebus_meta_next(const void *bytes, size_t packed, size_t *at, uint32_t *tag,
                                            size_t *size);

/**
 * Keeps a pointer of the caller's own with the memory of a frame that is held: what was made of that memory
 * once (a texture, a framebuffer, a wrapper) is there again with the next frame in it. Each writer and reader
 * has one pointer for each slot of a pool, or for the import that the frame is in. NULL takes it away.
 *
 * `destroy`, unless NULL, is called once with the pointer, when the memory has gone: its pool was left and no
 * frame of it is held, or the import was destroyed; or at once, when another pointer takes its place. The
 * call comes from whichever thread let go last, out of release, close, next, set_user or any call on the
 * writer, without locks of the library. It never comes in a forked child, and, other than for a new pointer,
 * never while a frame in that memory is held. What belongs to a thread, as GL objects do, has to be queued
 * for that thread. An object that holds the frame, or keeps the reader open, is never destroyed.
 *
 * One thread at a time for each frame; does not block. -EINVAL: the frame is not held. -ENOMEM: the pointer
 * that was there stays. -ECHILD: the frame is the parent process's.
 */
FRAMEBUS_API int framebus_frame_set_user(struct framebus_frame *frame, void *pointer,
                                         void (*destroy)(void *pointer));

/** Returns the pointer that is kept with the memory of a frame; NULL: none. One thread at a time for each
 *  frame; does not block. */
FRAMEBUS_API void *framebus_frame_get_user(const struct framebus_frame *frame);

/** @}
 *  @defgroup dmabuf DMA-BUFs
 *  @{ */

/** A part of a frame's memory: `size` bytes at `offset` in a file descriptor. */
struct framebus_part {
    int fd;          /**< a DMA-BUF or a memfd */
    uint64_t offset; /**< first byte */
    uint64_t size;   /**< number of bytes */
};

/** Place of one plane in a DMA-BUF. Its modifier is format->modifier. */
struct framebus_dmabuf_plane {
    int fd;          /**< DMA-BUF in which the plane begins */
    uint64_t offset; /**< first byte of the plane in the fd */
    uint32_t stride; /**< bytes from one row to the next */
};

/** A frame's memory, for devices. The file descriptors belong to the library. */
struct framebus_dmabuf {
    uint32_t serial;                                         /**< an object made of the descriptors (a
                                                                  framebuffer, an image) is good for every
                                                                  frame with the same format_serial, slot
                                                                  and serial */
    uint32_t parts;                                          /**< number of parts, which follow one another
                                                                  in the frame */
    struct framebus_part part[FRAMEBUS_PLANES_MAX];          /**< the parts */
    struct framebus_dmabuf_plane plane[FRAMEBUS_PLANES_MAX]; /**< the planes */
    uint64_t reserved[4];                                    /**< zero */
};

/**
 * Tells the DMA-BUFs of a frame: of a writer's, or of a reader's that was opened with `dmabuf`. They can
 * be mapped and imported while the frame is held. An object made of them may be kept longer, but its
 * contents may be used only while such a frame is held. Makes no system call. Any thread.
 * -ENOTSUP: the frame is not in DMA-BUFs, or this reader may not have them; the sentence says why.
 */
FRAMEBUS_API int framebus_frame_dmabuf(const struct framebus_frame *frame, struct framebus_dmabuf *dmabuf);

/**
 * Begins access by the CPU to the memory of a frame that devices use as well, so that caches are in
 * order: begin, read (or `write`, in a writer's frame), then end with the same `write`. Does nothing for a
 * frame without DMA-BUFs. May block until a device is done with the memory. Any thread.
 * -EIO and others: the driver's error.
 */
FRAMEBUS_API int framebus_frame_begin_access(const struct framebus_frame *frame, bool write);

/** Ends an access that framebus_frame_begin_access() began with the same `write`. Any thread. Errors as
 * there. */
FRAMEBUS_API int framebus_frame_end_access(const struct framebus_frame *frame, bool write);

/** @}
 *  @defgroup writer Writer
 *  @{ */

/** Kind of memory of a pool. */
enum framebus_memory {
    FRAMEBUS_MEMORY_MEMFD = 0, /**< sealed memfd: readers cannot write, and nothing can be left behind */
    FRAMEBUS_MEMORY_POSIX,     /**< shm_open, visible in /dev/shm; not sealed */
    FRAMEBUS_MEMORY_SYSV,      /**< shmget, visible to ipcs; not sealed */
};

/** What becomes of frames that a reader is too slow for. */
enum framebus_delivery {
    FRAMEBUS_DELIVERY_LIVE = 0, /**< the oldest ones are missed */
    FRAMEBUS_DELIVERY_LATEST,   /**< all but the newest one are missed */
    FRAMEBUS_DELIVERY_LOSSLESS, /**< the writer waits; it must have been opened lossless too */
};

/** Options of a pool's memory. */
enum framebus_memory_flag {
    FRAMEBUS_MEMORY_HUGE_PAGES = 1 << 0, /**< memfd, sysv: use huge pages, or fail if there are none */
    FRAMEBUS_MEMORY_LOCKED = 1 << 1,     /**< mlock each slot in the writer when it comes into use */
};

/** Options of framebus_writer_open(), with defaults in brackets. */
struct framebus_writer_options {
    enum framebus_memory memory; /**< kind of memory [memfd] */
    uint32_t memory_flags;       /**< bits of enum framebus_memory_flag */
    uint32_t history;            /**< frames kept for late readers, 1..256 [FRAMEBUS_HISTORY_DEFAULT] */
    uint32_t max_slots;          /**< limit of slots in a pool, up to FRAMEBUS_SLOTS_MAX [64, see
                                      fewer_slots]. Slots that are never used cost no memory. history + the
                                      readers' quotas + max_lends + 1 must fit: further readers are refused */
    uint32_t max_lends;          /**< limit of frames between begin and release at one time [8] */
    uint32_t access_mode;        /**< mode of the socket, which says who may read, e.g. 0660 [0600]. The
                                      same users can read posix and sysv memory; only the writer's can
                                      write to it */
    const char *group;           /**< name or number of the group of socket and memory [the process's] */
    bool lossless;               /**< begin waits for lossless readers */
    int64_t lossless_timeout_ns; /**< limit of that wait [1 s]; a reader that exceeds it becomes live.
                                      Negative: no limit */
    int cancel_fd;               /**< begin returns -ECANCELED while this fd is readable [0: none]. It
                                      belongs to the caller, and must stay open as long as the writer */
    const char *label;           /**< name shown to people [the process's] */
    bool dmabuf;                 /**< make slots DMA-BUFs as well: for devices here, and for readers that
                                      ask for them and belong to this user or to root. memfd only. All
                                      slots get their memory at once, hence max_slots [24] */
    bool dmabuf_for_all;         /**< let readers of other users have DMA-BUFs, which they can write to */
    bool fewer_slots;            /**< if the address space (32 bits, ulimit -v) is too small for max_slots,
                                      make do with fewer, but at least two and as many as history,
                                      max_lends and the readers need; the log tells how many [true if
                                      max_slots is 0] */
    uint32_t meta_size;          /**< limit of metadata in a frame, in bytes, with 8 for each block's head,
                                      up to FRAMEBUS_META_MAX [FRAMEBUS_META_DEFAULT]. What is not used
                                      takes address space, not memory */
    int64_t poll_ns;             /**< how often publish polls the control sockets [2 ms]. Negative: never,
                                      as a thread of the program waits for framebus_writer_fd() and
                                      dispatches */
    uint64_t reserved[7];        /**< zero */
};

/**
 * A writer, which serves one bus.
 *
 * Thread-safety: any threads may call anything at any time. Exception: while close runs, only release
 * may run beside it.
 */
struct framebus_writer;

/**
 * Becomes the writer of a bus. `name` is [A-Za-z0-9][A-Za-z0-9._-]*, or the path of the socket to serve
 * (anything with a '/'). `format` may be NULL: readers can attach, and framebus_writer_set_format()
 * follows later. Blocks up to 200 ms while another writer gives the name up, and up to 5 s after that
 * writer was killed and the kernel still frees its memory. *writer is NULL on failure.
 *
 * -EADDRINUSE: another writer has the name (the sentence tells its pid). -EINVAL: name, format or an
 * option is wrong. -EACCES, -EPERM: the runtime directory, group or mode cannot be used. -ENOENT: the
 * directory of the path does not exist. -EEXIST: the path is taken by something that is not a socket, or
 * by another program's socket. -ENOTSUP: this kind of memory, or a DMA-BUF of it, cannot be had here.
 * A reserved field that is not zero is -ENOTSUP too. -ENOMEM, -ENOSPC, -EMFILE: as usual.
 */
FRAMEBUS_API int framebus_writer_open(struct framebus_writer **writer, const char *name,
                                      const struct framebus_format *format,
                                      const struct framebus_writer_options *options);

/**
 * Changes the format: the present pool ends, and a new one begins. Readers get the remaining frames of
 * the old pool first. Frames of the old pool that are still lent can no longer be published (-ESTALE).
 * Does nothing if the format is the same. Waits for lossless readers.
 * -EINVAL: the format is invalid. -ECANCELED, -EINTR: as begin. -ENOMEM and others: no new pool could be
 * made; the old one goes on.
 */
FRAMEBUS_API int framebus_writer_set_format(struct framebus_writer *writer,
                                            const struct framebus_format *format);

/**
 * Lends a free slot for the next frame. Its bytes are those of an older frame, or zero. Blocks only in a
 * lossless writer. The frame must be released, whether it was published or not.
 *
 * -EBUSY: max_lends frames are lent already. -ENOSPC, -ENOMEM: no memory for another slot.
 * -ECANCELED: cancel_fd is readable, or framebus_writer_cancel() was called. -EINTR: a signal came while it
 * waited; the time limit of lossless readers goes on. -ENODATA: there is no format yet.
 */
FRAMEBUS_API int framebus_writer_begin(struct framebus_writer *writer, struct framebus_frame **frame);

/** Does the same with room for at least `size` bytes: a pool of payloads whose slots are too small is
 *  replaced by a larger one. -EMSGSIZE: slots of a picture are smaller than that. */
FRAMEBUS_API int framebus_writer_begin_size(struct framebus_writer *writer, uint64_t size,
                                            struct framebus_frame **frame);

/**
 * Publishes a frame: readers can see it from now on, in place. The caller may read it until release,
 * and must not write to it any more. Never blocks. Makes system calls only to wake readers that sleep,
 * and to poll the control sockets every few milliseconds.
 *
 * -EALREADY: the frame is published already. -ESTALE: its pool has ended (set_format, end). -EINVAL: its
 * size exceeds its capacity, or its crop the picture. After a failure the frame is still lent.
 */
FRAMEBUS_API int framebus_writer_publish(struct framebus_writer *writer, struct framebus_frame *frame);

/** Ends the lend of a frame, published or not. Its slot is used again once no reader has a claim on it.
 *  May be called after close. Never blocks. */
FRAMEBUS_API void framebus_writer_release(struct framebus_writer *writer, struct framebus_frame *frame);

/**
 * Cancels: begin, set_format and end return -ECANCELED instead of waiting for lossless readers, a call that
 * waits at once, and begin at every later call, until framebus_writer_resume(). Any thread and any signal
 * handler, beside any call but close. errno stays as it is. Never blocks.
 */
FRAMEBUS_API void framebus_writer_cancel(struct framebus_writer *writer);

/** Ends what framebus_writer_cancel() began. Any thread. Never blocks. */
FRAMEBUS_API void framebus_writer_resume(struct framebus_writer *writer);

/**
 * Memory from outside the pool in which frames of the present pool can be: a camera's or decoder's
 * DMA-BUFs, or memfds sealed with F_SEAL_SHRINK. It belongs to its creator until destroyed.
 */
struct framebus_import;

/**
 * Imports such memory into the present pool: up to FRAMEBUS_PLANES_MAX parts that, one after the other,
 * are a frame as the format describes it (with planes in several fds, a part for each). Offsets, and all
 * sizes but the last, are multiples of the page size. The fds are duplicated, and sent to each reader
 * once.
 *
 * `returned` is called each time a frame in this memory was lent, published or not, and nobody uses it any
 * more, so that the owner may write to it again: the lend has ended, no reader has a claim on it, and
 * either `history` newer frames were published, or the pool has ended and every reader has left it. The
 * call comes without locks held, from whichever call on this writer found out. While readers hold
 * such frames, poll framebus_writer_fd() and dispatch. Closing the writer returns everything.
 *
 * -EINVAL: `returned` is missing, the parts do not make a frame, or they are neither DMA-BUFs nor sealed
 * memfds. -EBUSY: no slot is left: open the writer with more max_slots. -EPERM: DMA-BUFs on a bus that
 * other users may read, without dmabuf_for_all. -ENODATA: there is no format yet.
 */
FRAMEBUS_API int framebus_import_create(struct framebus_import **import, struct framebus_writer *writer,
                                        const struct framebus_part *parts, unsigned count,
                                        void (*returned)(void *user), void *user);

/**
 * Takes such memory back before `history` newer frames were published: for the owner of few buffers, who
 * needs this one for the next frame. `returned` is called before this function returns, unless the memory was
 * home already. Readers that have not taken this frame miss it. Never blocks. -EAGAIN: it has the newest
 * frame, or one that is lent; or the pool has ended or the writer is lossless, and readers are to have it.
 * -EBUSY: a reader has it. -ESTALE: the writer is closed.
 */
FRAMEBUS_API int framebus_import_recall(struct framebus_import *import);

/** Ends the use of this memory. If a frame in it is out, the memory stays until that was returned. May
 *  be called after close of the writer. NULL is fine. */
FRAMEBUS_API void framebus_import_destroy(struct framebus_import *import);

/**
 * Does as framebus_writer_begin(), for a frame that is in this memory already, or will be when it is
 * published. The frame is not mapped (data is NULL). Never blocks, in a lossless writer neither.
 * -EBUSY: the memory was not returned yet. -ESTALE: its pool has ended; import it again.
 */
FRAMEBUS_API int framebus_writer_begin_import(struct framebus_writer *writer, struct framebus_import *import,
                                              struct framebus_frame **frame);

/**
 * Ends the stream: readers get -ENODATA after the last frame. The writer stays. The next begin starts a
 * new stream, with which the same readers can go on. Waits for lossless readers. -ECANCELED, -EINTR: as
 * begin.
 */
FRAMEBUS_API int framebus_writer_end(struct framebus_writer *writer);

/** Returns a file descriptor that is readable when dispatch has something to do. It belongs to the
 *  writer: do not read or close it. */
FRAMEBUS_API int framebus_writer_fd(struct framebus_writer *writer);

/**
 * Serves readers: lets them in and out, and answers listings. publish does this too, every few
 * milliseconds, unless poll_ns is negative; a writer that publishes rarely should poll framebus_writer_fd().
 * Never blocks.
 * Returns 0, or a negative errno if the bus cannot be served any more.
 */
FRAMEBUS_API int framebus_writer_dispatch(struct framebus_writer *writer);

/** Counts changes of format and readers: they came, went, or changed their quota or delivery. While it stays
 *  the same, framebus_writer_get_info() tells of the same readers. Any thread. Never blocks. */
FRAMEBUS_API uint64_t framebus_writer_count_changes(struct framebus_writer *writer);

/**
 * Returns true if some reader waits for a key frame of an encoded stream: it has just come, has missed
 * frames, or has called framebus_reader_request_key_frame(). True is returned at most once a second, whatever
 * readers do, and not for wishes that a published key frame (without FRAMEBUS_FRAME_DELTA and _HEADER) has
 * fulfilled. An encoder asks before each frame and makes this one a key frame. What waits in a poll is woken:
 * framebus_writer_fd() becomes readable, with the first frame that is published once a second is over. Any
 * thread. Never blocks.
 */
FRAMEBUS_API bool framebus_writer_wants_key_frame(struct framebus_writer *writer);

/** Leaves the bus. The name is free at once. Frames that are still lent stay valid until they are
 *  released; the last release frees the writer. NULL is fine. */
FRAMEBUS_API void framebus_writer_close(struct framebus_writer *writer);

/** @}
 *  @defgroup reader Reader
 *  @{ */

/** Options of framebus_reader_open(), with defaults in brackets. */
struct framebus_reader_options {
    enum framebus_delivery delivery; /**< what becomes of frames that the reader is too slow for [live] */
    uint32_t quota;                  /**< limit of frames held at one time, up to 256 [2] */
    int64_t wait_ns;                 /**< time that open waits for a writer to appear [0: none] */
    bool follow;                     /**< when the writer goes, wait for the next one of that name, instead
                                          of returning -EPIPE */
    int cancel_fd;                   /**< open and next return -ECANCELED while this fd is readable [0:
                                          none]. It belongs to the caller, and must stay open as long as
                                          the reader */
    const char *label;               /**< name shown in listings [the process's] */
    int64_t spin_ns;                 /**< time that next looks for a frame, on a processor of its own,
                                          before it sleeps; at most 50 ms. A frame that comes in that time
                                          saves reader and writer the wake-up. cancel_fd and the writer's
                                          death are noticed only afterwards [0: a few microseconds, if
                                          frames come that fast] */
    bool dmabuf;                     /**< ask for DMA-BUFs: framebus_frame_dmabuf(). Frames that a device
                                          wrote then need framebus_frame_begin_access(), and frames in
                                          memory that cannot be mapped are delivered too, with data NULL */
    uint32_t max_rate;               /**< most frames in 1000 seconds that are wanted; next takes the newest
                                          one when the next is due. Frames in between do not wake the reader,
                                          and count as missed in its own statistics. One that none follows
                                          comes half a period late; framebus_reader_fd() does not tell of
                                          that one. Not with lossless delivery [0: all] */
    uint32_t anticipate;             /**< percent of one processor, up to 100, that next may take for being
                                          awake when a frame is due, so that neither reader nor writer has to
                                          wait for a wake-up. Nothing is taken where it does not pay: the
                                          stream is irregular, the budget small for its jitter, or the
                                          processors busy. Only next with a timeout anticipates [0: none] */
    int fd;                          /**< a Unix socket (SOCK_SEQPACKET) that is connected to a bus, in place
                                          of its name, for a process that cannot reach it [0: none]. See
                                          framebus_reader_open() */
    bool tell_gone;                  /**< with `follow`: when the writer goes, next returns -EPIPE (or
                                          -ECONNABORTED) once, and the next call waits for the next writer */
    uint64_t reserved[7];            /**< zero */
};

/**
 * A reader of a bus.
 *
 * Thread-safety: one thread at a time may call anything. Exceptions: release may come from any thread at
 * any time, and cancel, resume and request_key_frame beside any call but close.
 */
struct framebus_reader;

/**
 * Attaches to a bus, by name or path as in framebus_writer_open(). Blocks up to wait_ns for a writer to
 * appear, and then until it answers, at most 5 s. With `follow` and wait_ns 0 it returns at once, and
 * next does the waiting. *reader is NULL on failure.
 *
 * With options.fd the name is NULL or "". Nothing has been said on that socket yet, and it was connected
 * just now: what is silent for 2 s makes way for others. It is duplicated, and is good for one writer,
 * without `follow`. To the writer the reader is whoever called connect(): that process's user is who may
 * read. When the reader ends it shuts the socket down. Should its process die instead, the writer notices
 * when every copy of the socket is closed: close your own.
 *
 * -ENOENT: there is no writer. -EACCES: this user may not read (the sentence tells who may). -EBUSY: the
 * bus has no slots left for this quota. -EAGAIN: more attach than the writer could serve in 5 s.
 * -EPROTONOSUPPORT: the writer speaks another version of the protocol. -EOPNOTSUPP: lossless asked of a
 * writer that is not. -ETIMEDOUT: the writer does not answer. -EPROTO, -EBADMSG: whatever answers is not
 * a framebus writer. -EINVAL: a wrong name or option, or an fd that is no such socket. -EPIPE: the writer
 * that fd leads to is gone, or did not wait. -EBADF: fd is not open. -ENOTSUP: an option that this library
 * does not have. -ECANCELED: cancel_fd is readable. -EINTR: a signal came (only with wait_ns): open again.
 */
FRAMEBUS_API int framebus_reader_open(struct framebus_reader **reader, const char *name,
                                      const struct framebus_reader_options *options);

/**
 * Waits for the next frame. It is the caller's, unchanged, until framebus_reader_release(). Frames come
 * in order; frame->missed tells how many were lost directly before this one. A new reader begins with the
 * newest frame there is. No system call is made for a frame that is already there.
 *
 * The reader goes on after these: -ETIMEDOUT: no frame came in time. -EINTR: a signal came first. -ENODATA:
 * the stream has ended (returned once; the next call waits for the next stream). -EBUSY: quota frames are
 * held. -ECANCELED: cancel_fd is readable, or framebus_reader_cancel() was called. -ECONNREFUSED: with
 * `follow`, the next writer refused this reader (the sentence tells why); the next call tries again.
 *
 * Only close makes sense after these: -EPIPE: the writer is gone, and each frame that it left was
 * delivered. -ECONNABORTED: the writer evicted this reader. (With `follow` both become waits for the next
 * writer, with `tell_gone` after they were returned once.) -EPROTO, -EBADMSG: the writer broke the protocol.
 * -ENOMEM, -EMFILE and others: its pool could not be mapped. -ENOTSUP: a frame is in memory that cannot be
 * mapped.
 */
FRAMEBUS_API int framebus_reader_next(struct framebus_reader *reader, struct framebus_frame **frame,
                                      int64_t timeout_ns);

/**
 * Returns the newest frame there is, without waiting, and also if it was delivered before. Older frames that
 * were not delivered are left out, and count as missed; next goes on after this one. Never returns a frame
 * older than one that next has returned. Otherwise it does as next with a timeout of zero.
 *
 * A frame that is delivered again while it is held is the same struct. It is the caller's until it has been
 * released as often as it was delivered, and takes the place of one frame in the quota.
 *
 * -ETIMEDOUT: there is none yet, from this writer in its present format. A reader that was just opened hears
 * of the first one a moment later: let next wait for it. -EBUSY: quota frames are held, and
 * the newest is not one of them. All others as framebus_reader_next().
 */
FRAMEBUS_API int framebus_reader_newest(struct framebus_reader *reader, struct framebus_frame **frame);

/** Gives a frame back. Any thread; may be called after close. Never blocks. */
FRAMEBUS_API void framebus_reader_release(struct framebus_reader *reader, struct framebus_frame *frame);

/**
 * Cancels: next and set_quota return -ECANCELED, a call that waits at once, and every later one, whether
 * frames are there or not, until framebus_reader_resume(). framebus_reader_fd() is readable meanwhile. Any
 * thread and any signal handler, beside any call but close: this is how Ctrl-C ends a loop (a flag of one's
 * own is seen only after next has returned). errno stays as it is. Never blocks.
 */
FRAMEBUS_API void framebus_reader_cancel(struct framebus_reader *reader);

/** Ends what framebus_reader_cancel() began. Any thread. Never blocks. */
FRAMEBUS_API void framebus_reader_resume(struct framebus_reader *reader);

/**
 * Returns a file descriptor for poll, epoll, GLib or libuv. It is level-triggered: readable while next with
 * timeout 0 would return a frame, an end or an error. One next for each wake-up is enough, and none is
 * needed before the first; an edge-triggered epoll needs next until -ETIMEDOUT (epoll(7)). After a frame it
 * may be readable once for nothing: next then returns -ETIMEDOUT. While quota frames are held (-EBUSY) it
 * is not readable, until one is released. It belongs to the reader, and stays the same for its whole life:
 * do not read or close it. Negative errno on failure.
 */
FRAMEBUS_API int framebus_reader_fd(struct framebus_reader *reader);

/** Changes how many frames may be held at one time. Blocks for the writer's answer, at most 1 s. Not
 *  meant for every frame: a reader that asks more than 100 times a second is evicted.
 *  -EBUSY: the bus has no room; the old quota stays. -EINVAL: outside 1..256, or below the number of frames
 *  held. -ETIMEDOUT, -ECANCELED: no answer. -ENOTCONN: there is no writer now; the next one will be asked.
 */
FRAMEBUS_API int framebus_reader_set_quota(struct framebus_reader *reader, uint32_t quota);

/**
 * Asks for a key frame of an encoded stream, for example when something behind this reader lost what it was
 * sent. (A reader that comes or misses frames need not ask: its writer knows.) The writer's program hears of
 * it by framebus_writer_wants_key_frame() once the next frame is published, if it listens. One key frame a
 * second answers whatever all readers ask. Does nothing while there is no writer, or for one that knows no
 * such requests. Any thread, beside any call but close. Makes no system call, never blocks.
 */
FRAMEBUS_API void framebus_reader_request_key_frame(struct framebus_reader *reader);

/** Returns the format of the pool in which the reader is, or NULL before the first one. Valid until the
 *  next call of framebus_reader_next(). */
FRAMEBUS_API const struct framebus_format *framebus_reader_format(struct framebus_reader *reader);

/** Counts and state of a reader. */
struct framebus_reader_stats {
    uint64_t delivered;              /**< frames that next and newest returned, each counted once */
    uint64_t missed;                 /**< frames that were lost to this reader */
    uint64_t writers;                /**< writers that it has been attached to */
    uint32_t held;                   /**< frames that are not released yet */
    uint32_t quota;                  /**< frames that it may hold at one time */
    uint32_t history;                /**< frames that the writer keeps; 0: there was no frame yet */
    enum framebus_delivery delivery; /**< present kind: a lossless reader can become live */
    int32_t writer_pid;              /**< the writer's process; 0: there is no writer now, or it is in a PID
                                          namespace that cannot be seen from here */
    bool connected;                  /**< there is a writer, and it has let this reader in */
    bool has_writer;                 /**< there is a writer, whether it has let this reader in or not */
    uint64_t reserved[8];            /**< zero */
};

/** Writes counts and state of a reader to *stats. Does not block. */
FRAMEBUS_API void framebus_reader_get_stats(struct framebus_reader *reader,
                                            struct framebus_reader_stats *stats);

/** Detaches. Frames that are still held stay valid until they are released; the last release frees the
 *  reader. NULL is fine. */
FRAMEBUS_API void framebus_reader_close(struct framebus_reader *reader);

/** @}
 *  @defgroup list Listing
 *  @{ */

/** Outcome of asking a bus about itself. */
enum framebus_bus_state {
    FRAMEBUS_BUS_LIVE = 0, /**< a writer answered */
    FRAMEBUS_BUS_SILENT, /**< a writer holds the name but does not answer: it is stopped, or never dispatches
                          */
    FRAMEBUS_BUS_STALE,  /**< remains of a writer that died; framebus_remove() removes them */
    FRAMEBUS_BUS_DENIED, /**< this user may not connect to it */
    FRAMEBUS_BUS_INCOMPATIBLE, /**< its writer speaks another version of the protocol */
};

/** A reader, as its writer sees it. */
struct framebus_peer_info {
    uint64_t id;                        /**< a number that no other reader of this writer has or had */
    int32_t pid;                        /**< its process; 0: in a PID namespace that the writer cannot see */
    uint32_t uid;                       /**< its user */
    char label[FRAMEBUS_LABEL_MAX + 1]; /**< its name for people */
    enum framebus_delivery delivery;    /**< its present kind of delivery */
    uint32_t quota;                     /**< frames that it may hold at one time */
    uint32_t held;                      /**< frames that it holds */
    uint64_t taken;                     /**< frames it got, by its own count */
    uint64_t missed;                    /**< frames it lost, by its own count */
    uint64_t reserved[4];               /**< zero */
};

/** A bus. Fields after uid are zero unless it is live. */
struct framebus_bus_info {
    char name[FRAMEBUS_PATH_MAX + 1];   /**< name, or path if it was given as one */
    char path[FRAMEBUS_PATH_MAX + 1];   /**< path of the socket */
    enum framebus_bus_state state;      /**< which fields are set */
    bool has_writer;                    /**< a process serves it, as far as this user can see */
    int32_t pid;                        /**< that process; 0: there is none, or it is in a PID namespace that
                                             cannot be seen from here */
    uint32_t uid;                       /**< the writer's user */
    char label[FRAMEBUS_LABEL_MAX + 1]; /**< the writer's name for people */
    bool has_format;                    /**< format is set */
    bool lossless;                      /**< the writer waits for lossless readers */
    struct framebus_format format;      /**< format of the present pool */
    enum framebus_memory memory;        /**< kind of memory */
    uint32_t history;                   /**< newest frames kept for readers */
    uint32_t max_slots;                 /**< limit of slots, as the writer was opened */
    uint32_t max_lends;                 /**< limit of frames lent at one time */
    uint32_t lent;                      /**< frames between begin and release */
    uint32_t slots_used;                /**< slots that have memory */
    uint64_t memory_bytes;              /**< memory of those slots */
    uint64_t published;                 /**< frames since the bus began */
    uint64_t evicted;                   /**< readers that were evicted */
    int64_t last_publish_ns;            /**< time of the newest frame; 0: none yet */
    uint32_t rate_millihertz;           /**< present rate in frames per 1000 seconds */
    uint32_t readers;                   /**< number of readers */
    struct framebus_peer_info *reader;  /**< the readers */
    uint64_t reserved[8];               /**< zero */
};

/** Lists all buses in the runtime directory, sorted by name, in a new array for
 *  framebus_info_free(). Blocks at most 250 ms for each writer that does not answer. Any thread. */
FRAMEBUS_API int framebus_list(struct framebus_bus_info **infos, size_t *count);

/** Asks about one bus, by name or path. -ENOENT: there is none. Otherwise as framebus_list(). */
FRAMEBUS_API int framebus_query(const char *name, struct framebus_bus_info **info);

/** Tells what framebus_query() would tell about this writer's own bus, without asking. */
FRAMEBUS_API int framebus_writer_get_info(struct framebus_writer *writer, struct framebus_bus_info **info);

/** Frees what the functions above made. NULL is fine. */
FRAMEBUS_API void framebus_info_free(struct framebus_bus_info *infos, size_t count);

/**
 * Removes what a dead writer of this name left: its socket, and posix or sysv memory. Returns how many
 * things it removed, and calls `removed`, unless NULL, with a description of each.
 * -EBUSY: the writer lives (the sentence tells its pid); nothing was removed. -EEXIST: the socket is
 * another program's. -ENOENT: there is nothing of that name.
 */
FRAMEBUS_API int framebus_remove(const char *name, void (*removed)(const char *what, void *user), void *user);

/** Writes the runtime directory, in which buses are, into text, and returns its length. The directory
 *  may not exist yet. -ENAMETOOLONG: it does not fit. */
FRAMEBUS_API int framebus_directory(char *text, size_t room);

/** @}
 *  @defgroup monitor Monitor
 *  @{ */

/** What has happened. */
enum framebus_event_type {
    FRAMEBUS_EVENT_BUS_ADDED = 1,  /**< a bus has come, or was there already */
    FRAMEBUS_EVENT_BUS_CHANGED,    /**< its state, its format or its writer is another one */
    FRAMEBUS_EVENT_BUS_REMOVED,    /**< its socket is gone */
    FRAMEBUS_EVENT_READER_ADDED,   /**< a reader has come, or was there already */
    FRAMEBUS_EVENT_READER_REMOVED, /**< a reader, or its writer, has gone */
};

/** An event. What it points to belongs to the monitor, until the next call on it. */
struct framebus_event {
    enum framebus_event_type type;       /**< what has happened */
    const struct framebus_bus_info *bus; /**< the bus, as it is now; of a bus that was removed, as it was */
    const struct framebus_peer_info *reader; /**< the reader; NULL if the event is not a reader's */
};

/**
 * A monitor, which tells of buses and readers as they come, change and go. It does not ask again and again:
 * the runtime directory tells of buses, and writers tell of their formats and readers. Every two seconds it
 * makes sure that writers still answer. It never delays a writer, and slow monitors are told less, not more:
 * of what changes several times in between only the outcome is told, and a reader that comes and goes
 * within 50 ms may not be told at all.
 *
 * Thread-safety: one thread at a time may call anything.
 */
struct framebus_monitor;

/**
 * Begins to watch the buses of the runtime directory, which need not exist yet; or one bus, by name or path,
 * if `name` is not NULL. Events for what is there already come first. Does not wait for writers.
 * *monitor is NULL on failure.
 * -EINVAL: the name is wrong. -EACCES: the directory cannot be listed. -ENOMEM, -EMFILE: as usual. Where
 * there is no inotify instance it looks ten times a second; the log tells why.
 */
FRAMEBUS_API int framebus_monitor_open(struct framebus_monitor **monitor, const char *name);

/**
 * Waits for the next event and writes it to *event. Readers of a bus come after it, and go before it. A
 * writer that was replaced is a change of its bus: the readers of the old one go first.
 * -ETIMEDOUT: nothing has happened. -EINTR: a signal handler ran while this call slept.
 */
FRAMEBUS_API int framebus_monitor_next(struct framebus_monitor *monitor, struct framebus_event *event,
                                       int64_t timeout_ns);

/**
 * Returns a file descriptor for poll, epoll, GLib or libuv. It is level-triggered: readable while there is an
 * event, or something to find out. One next with timeout 0 for each wake-up is enough, and it may return
 * -ETIMEDOUT. It stays the same, and belongs to the monitor: do not read or close it. Negative errno
 * on failure.
 */
FRAMEBUS_API int framebus_monitor_fd(struct framebus_monitor *monitor);

/** Ends the watch. NULL is fine. Does not block. */
FRAMEBUS_API void framebus_monitor_close(struct framebus_monitor *monitor);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
