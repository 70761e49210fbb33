/* SPDX-License-Identifier: MIT */
/*
 * framebus: video frames from one process into others, in place.
 *
 * A *writer* publishes frames on a named *bus*; any number of *readers* in other processes see each
 * frame in the memory it was written to. Readers map that memory read-only and cannot hold the
 * writer up. There is no daemon, and the library starts no thread.
 *
 * Conventions, valid for everything below:
 *  - Functions that return int return 0 (or a count) on success and a negative errno on failure.
 *    framebus_last_error() then has a sentence that says what was wrong, with which value.
 *  - A field or option that is zero means its default. Pointers to options may be NULL.
 *  - Times are nanoseconds of CLOCK_MONOTONIC; a timeout below zero means for ever, zero means
 *    do not wait. Sizes and offsets are bytes. Rectangles and dimensions are pixels.
 *  - Handles do not survive fork(): in the child every call on them fails with -ECHILD and close
 *    only frees memory. All file descriptors are close-on-exec.
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
#define FRAMEBUS_VERSION_MINOR 1
#define FRAMEBUS_VERSION_PATCH 0

#define FRAMEBUS_NAME_MAX   64    /* characters in the name of a bus */
#define FRAMEBUS_LABEL_MAX  31    /* characters in the label of a reader or writer */
#define FRAMEBUS_PATH_MAX   107   /* characters in the path of a bus's socket (sockaddr_un) */
#define FRAMEBUS_PLANES_MAX 4     /* planes in a picture */
#define FRAMEBUS_SIDE_MAX   16384 /* pixels along one side of a picture */
#define FRAMEBUS_SLOTS_MAX  1024  /* slots in a pool */
#define FRAMEBUS_CAPS_MAX   16384 /* bytes of caps text, with its terminating zero */
#define FRAMEBUS_META_MAX   4096  /* bytes of metadata blocks a frame, with their 8-byte heads */

/* ---- Version, errors, log ------------------------------------------------------------------ */

/** The version of the library that is running, e.g. "0.1.0". Static; any thread. */
FRAMEBUS_API const char *framebus_version(void);

/**
 * A sentence about the most recent failure of a framebus function in the calling thread: what was
 * wrong, with which value, what to do. "" if none failed yet. Valid until the next framebus call
 * in this thread. Any thread; does not block.
 */
FRAMEBUS_API const char *framebus_last_error(void);

/** How grave a line of the log is. */
enum framebus_log_level {
    FRAMEBUS_LOG_ERROR = 0, /* something is lost */
    FRAMEBUS_LOG_WARNING,   /* a peer misbehaved and was thrown out, a promise is weakened */
    FRAMEBUS_LOG_INFO,      /* readers come and go, pools change */
    FRAMEBUS_LOG_DEBUG,     /* everything else, failed calls too */
};

/** Receives one line of log without a newline. Called from whatever thread logs, perhaps with
 *  locks of the library held: it must not call framebus functions, and while it blocks the bus may
 *  stand still. */
typedef void (*framebus_log_handler)(enum framebus_log_level level, const char *line, void *user);

/**
 * Sends the log of the whole process to a handler. NULL restores the default: standard error, down
 * to warnings, or down to the level that the environment variable FRAMEBUS_LOG names (error,
 * warning, info, debug, none), which never blocks: what a full pipe has no room for is left out
 * and counted. With a handler all levels are delivered. Any thread; does not block.
 */
FRAMEBUS_API void framebus_set_log_handler(framebus_log_handler handler, void *user);

/* ---- Formats ------------------------------------------------------------------------------- */

/** Colour as ITU-T H.273 numbers it. 0, like H.273's own 2, means not known: guess as usual. */
struct framebus_color {
    uint8_t primaries; /* H.273 table 2: 1 = BT.709, 5/6 = BT.601, 9 = BT.2020 */
    uint8_t transfer;  /* H.273 table 3: 1/6 = BT.709/601, 13 = sRGB, 16 = PQ, 18 = HLG */
    uint8_t matrix;    /* H.273 table 4: 1 = BT.709, 5/6 = BT.601, 9 = BT.2020; RGB has none */
    uint8_t range;     /* not H.273: 1 = limited (16-235), 2 = full (0-255) */
};

/**
 * What the frames of a pool are. A picture has a DRM fourcc (values from drm_fourcc.h; memory order
 * as described there) and its planes; anything else (JPEG, H.264, audio, ...) has fourcc 0, caps
 * text, and `size` is the room for one payload.
 *
 * The struct owns nothing. Where the library hands one out, caps point into memory that lives as
 * long as the frame, reader or info it came with.
 */
struct framebus_format {
    uint32_t fourcc;                      /* DRM_FORMAT_*, 0: opaque payload */
    uint32_t width, height;               /* 1..FRAMEBUS_SIDE_MAX for pictures; 0 for payloads, or told */
    uint32_t rate_num, rate_den;          /* frames a second; 0/0 or 0/1: variable or unknown */
    uint32_t aspect_num, aspect_den;      /* shape of a pixel, 0/0: 1/1 */
    struct framebus_color color;          /* of what is shown */
    uint64_t modifier;                    /* DRM_FORMAT_MOD_*, 0: linear */
    uint64_t size;                        /* bytes of one frame, all planes */
    uint32_t planes;                      /* 1..FRAMEBUS_PLANES_MAX for pictures, 0 for payloads */
    uint32_t stride[FRAMEBUS_PLANES_MAX]; /* bytes from one row to the next */
    uint64_t offset[FRAMEBUS_PLANES_MAX]; /* of the plane's first byte in the frame */
    const char *caps;                     /* GStreamer caps text, NULL or "": none */
};

/** One plane of a known fourcc. */
struct framebus_plane_layout {
    uint8_t pixels, bytes; /* so many pixels of a row of the plane take so many bytes */
    uint8_t sub_x, sub_y;  /* it has one sample for every sub_x by sub_y pixels of the picture */
};

/** One row of the format table. Static. */
struct framebus_format_info {
    uint32_t fourcc;  /* DRM_FORMAT_* */
    const char *name; /* as GStreamer spells it (NV12, YUY2, BGRx, ...) */
    const char *drm;  /* as drm_fourcc.h spells it, without DRM_FORMAT_ (NV12, YUYV, XRGB8888) */
    uint8_t planes;   /* how many there are */
    uint8_t depth;    /* significant bits of a component; the widest one if they differ */
    bool yuv, alpha;  /* as DRM sees it */
    /* each of them */
    struct framebus_plane_layout plane[FRAMEBUS_PLANES_MAX];
};

/** Row `index` of the format table, NULL past its end. Any thread; does not block. */
FRAMEBUS_API const struct framebus_format_info *framebus_format_at(size_t index);

/** The row of a fourcc, NULL if the table does not know it. Any thread; does not block. */
FRAMEBUS_API const struct framebus_format_info *framebus_format_find(uint32_t fourcc);

/** The row with this name, NULL if there is none. Case matters; where the two spellings mean different
 *  formats (AYUV), GStreamer's wins. */
FRAMEBUS_API const struct framebus_format_info *framebus_format_by_name(const char *name);

/**
 * Describes a linear picture with the strides and offsets that GStreamer uses by default (rows
 * padded to 4 bytes, chroma rows rounded up). Everything else in *format becomes zero.
 * -EINVAL: fourcc not in the table, or a side outside 1..FRAMEBUS_SIDE_MAX.
 */
FRAMEBUS_API int framebus_format_init(struct framebus_format *format, uint32_t fourcc, uint32_t width,
                                      uint32_t height);

/** Describes payloads of up to `size` bytes (a first guess: opaque pools grow) with this caps text,
 *  which is not copied. -EINVAL: no caps, caps too long, size 0. */
FRAMEBUS_API int framebus_format_init_opaque(struct framebus_format *format, const char *caps, uint64_t size);

/**
 * Checks that a format makes sense: sides and counts in range, every plane inside `size`, strides
 * that hold a row, no overflow, sane fractions, caps text ended and not too long.
 * -EINVAL otherwise; framebus_last_error() names the field. Any thread; does not block.
 */
FRAMEBUS_API int framebus_format_check(const struct framebus_format *format);

/** True if frames of both look the same to a program: every field, with caps compared as text. */
FRAMEBUS_API bool framebus_format_equal(const struct framebus_format *a, const struct framebus_format *b);

/** Bytes that pixels take in one row of a plane, without padding; 0 for an unknown fourcc or plane. */
FRAMEBUS_API uint32_t framebus_format_row_bytes(const struct framebus_format *format, unsigned plane);

/** Rows that a plane has, without padding; 0 for an unknown fourcc or plane. */
FRAMEBUS_API uint32_t framebus_format_rows(const struct framebus_format *format, unsigned plane);

/** Writes a short description ("NV12 1920x1080 60/1", "image/jpeg") into text; returns text. */
FRAMEBUS_API char *framebus_format_describe(const struct framebus_format *format, char *text, size_t room);

/* ---- Frames -------------------------------------------------------------------------------- */

/** What else there is to know of a frame: bits of its flags. */
enum framebus_frame_flag {
    FRAMEBUS_FRAME_DISCONT = 1 << 0,    /* does not follow the frame before it */
    FRAMEBUS_FRAME_DELTA = 1 << 1,      /* cannot be decoded without earlier ones; unset: a key frame */
    FRAMEBUS_FRAME_CORRUPTED = 1 << 2,  /* the source says that it is damaged */
    FRAMEBUS_FRAME_HEADER = 1 << 3,     /* headers of the stream, no picture */
    FRAMEBUS_FRAME_GAP = 1 << 4,        /* carries nothing new */
    FRAMEBUS_FRAME_DROPPABLE = 1 << 5,  /* nothing else depends on it */
    FRAMEBUS_FRAME_MARKER = 1 << 6,     /* ends a unit (RTP's marker bit) */
    FRAMEBUS_FRAME_INTERLACED = 1 << 7, /* two fields ... */
    FRAMEBUS_FRAME_TFF = 1 << 8,        /* ... the top one first */
};

/** A part of a picture. */
struct framebus_rect {
    uint32_t x, y, width, height; /* all zero: the whole picture */
};

/** One plane of a frame. */
struct framebus_plane {
    void *data;      /* first byte of the plane */
    uint32_t stride; /* bytes from one row to the next */
};

/**
 * A frame in a slot: lent to a writer from begin to release, to a reader from next to release. The
 * struct and all it points to belong to the library and are valid that long.
 *
 * A reader's memory is mapped read-only: writing to it is a SIGSEGV. A writer sets the fields
 * marked W between begin and publish; begin has set them to the values in brackets.
 */
struct framebus_frame {
    /* never NULL */
    const struct framebus_format *format;
    uint32_t format_serial; /* differs between two frames of a handle if their formats may differ */
    uint32_t slot;          /* index of the slot in its pool */
    /* as many as the format has */
    struct framebus_plane plane[FRAMEBUS_PLANES_MAX];
    void *data;                /* first byte of the slot */
    uint64_t capacity;         /* bytes of the slot */
    uint64_t size;             /* W bytes used [format->size for pictures, 0 for payloads] */
    uint64_t sequence;         /* number of the frame since the bus began; set by publish */
    uint64_t missed;           /* reader: frames between the last one it got and this one */
    int64_t capture_ns;        /* W when it was captured [0: publish puts the time of publishing] */
    int64_t publish_ns;        /* when it was published; set by publish */
    int64_t duration_ns;       /* W how long it lasts [0: unknown] */
    uint32_t flags;            /* W enum framebus_frame_flag [0] */
    struct framebus_rect crop; /* W what of the picture is to be shown [all zero: everything] */
};

/**
 * Appends a block of metadata (at most FRAMEBUS_META_MAX bytes in all, 8 of them a block's head) to
 * a frame that is not yet published. `tag` names its meaning: a fourcc of your own; tags that
 * begin with 'f','b' are framebus's. The data is copied. One thread at a time for each frame.
 * -ENOSPC: does not fit. -EALREADY: the frame is published. -EINVAL: a reader's frame.
 */
FRAMEBUS_API int framebus_frame_add_meta(struct framebus_frame *frame, uint32_t tag, const void *data,
                                         size_t size);

/**
 * Looks for the `index`th block with this tag (0: the first). Returns its bytes, 8-byte aligned and
 * valid as long as the frame, and their number in *size; NULL if there is none.
 */
FRAMEBUS_API const void *framebus_frame_get_meta(const struct framebus_frame *frame, uint32_t tag,
                                                 unsigned index, size_t *size);

/** The `index`th block, whatever its tag: to go through all of them. NULL past the last one. */
FRAMEBUS_API const void *framebus_frame_meta_at(const struct framebus_frame *frame, unsigned index,
                                                uint32_t *tag, size_t *size);

/* ---- DMA-BUFs ------------------------------------------------------------------------------ */

/** A piece of a frame's memory: bytes offset to offset + size of a file descriptor. */
struct framebus_part {
    int fd;                /* of a DMA-BUF or a memfd */
    uint64_t offset, size; /* bytes of it */
};

/** Where a frame is for devices. The file descriptors belong to the library. */
struct framebus_dmabuf {
    uint32_t serial; /* what was made of the descriptors (a framebuffer, an image) holds for all frames
                        with the same format_serial, slot and serial */
    uint32_t parts;  /* pieces of memory that follow one another in the frame */
    /* each of them */
    struct framebus_part part[FRAMEBUS_PLANES_MAX];
    struct {
        int fd;                   /* of the part the plane begins in ... */
        uint64_t offset;          /* ... and where in the fd. The modifier is format->modifier */
        uint32_t stride;          /* bytes from one row to the next */
    } plane[FRAMEBUS_PLANES_MAX]; /* where each plane is */
};

/**
 * The DMA-BUFs in which a frame is: a reader's (of one that was opened with `dmabuf`) or a writer's.
 * They can be mapped and imported as long as the frame is held; what is made of them may be kept
 * longer, but look at it only while such a frame is held. Makes no system call. Any thread.
 * -ENOTSUP: this frame is in none, or this reader is given none; the sentence says why.
 */
FRAMEBUS_API int framebus_frame_dmabuf(const struct framebus_frame *frame, struct framebus_dmabuf *dmabuf);

/**
 * Brackets what the CPU does with the memory of a frame that devices use as well, as caches need it:
 * begin, read or write (`write`: in a writer's frame), end with the same `write`. Nothing happens for
 * a frame without DMA-BUFs. Begin may block until a device is done with the memory. Any thread.
 * -EIO and the like: the driver's error.
 */
FRAMEBUS_API int framebus_frame_begin_access(const struct framebus_frame *frame, bool write);

/** Ends what framebus_frame_begin_access() began, with the same `write`. Any thread. Errors are the same. */
FRAMEBUS_API int framebus_frame_end_access(const struct framebus_frame *frame, bool write);

/* ---- Writer -------------------------------------------------------------------------------- */

/** Where a pool's memory comes from. */
enum framebus_memory {
    FRAMEBUS_MEMORY_MEMFD = 0, /* sealed memfd: readers cannot write, nothing can be left behind */
    FRAMEBUS_MEMORY_POSIX,     /* shm_open, visible in /dev/shm; not sealed */
    FRAMEBUS_MEMORY_SYSV,      /* shmget, visible to ipcs; not sealed */
};

/** How frames reach a reader that is slower than the writer. */
enum framebus_delivery {
    FRAMEBUS_DELIVERY_LIVE = 0, /* the oldest are missed */
    FRAMEBUS_DELIVERY_LATEST,   /* only the newest is delivered */
    FRAMEBUS_DELIVERY_LOSSLESS, /* the writer waits; the writer must be lossless too */
};

/** Options of the pool's memory. */
enum framebus_memory_flag {
    FRAMEBUS_MEMORY_HUGE_PAGES = 1 << 0, /* memfd, sysv: use huge pages, fail if there are none */
    FRAMEBUS_MEMORY_LOCKED = 1 << 1,     /* mlock slots in the writer as they come into use */
};

/** What framebus_writer_open() may be told. */
struct framebus_writer_options {
    enum framebus_memory memory; /* what slots are made of [memfd] */
    uint32_t memory_flags;       /* enum framebus_memory_flag */
    uint32_t history;            /* frames kept for readers that come late or lag [4], 1..256 */
    uint32_t max_slots;          /* slots in a pool at the most [64], up to FRAMEBUS_SLOTS_MAX; those never
                                    used cost no memory. history + the readers' quotas + max_lends + 1
                                    must fit, or readers are refused */
    uint32_t max_lends;          /* frames between begin and release at once [8] */
    uint32_t access_mode;        /* who may read: mode of the socket [0600], e.g. 0660; posix and sysv
                                    memory is readable to the same, writable to nobody else */
    const char *group;           /* name or number of the group it belongs to [the process's] */
    bool lossless;               /* begin waits for lossless readers ... */
    int64_t lossless_timeout_ns; /* ... up to this long [1 s]; a reader that lets it pass is made live.
                               Below zero: for ever */
    int cancel_fd;               /* begin returns -ECANCELED while this is readable [0: none]; the caller's,
                                    must stay open as long as the writer */
    const char *label;           /* shown to people [the process's name] */
    bool dmabuf;                 /* slots are DMA-BUFs too: for devices here, and for readers that ask and
                                    are of this user, or root. memfd only; all slots have their memory
                                    from the beginning, hence max_slots [24] */
    bool dmabuf_for_all;         /* readers of other users may have DMA-BUFs too, and with them the means to
                                    write to frames */
};

/**
 * A writer: the one that serves a bus.
 *
 * Thread-safety: all calls on one writer may come from any threads at once, except close, beside
 * which only release may run.
 */
struct framebus_writer;

/**
 * Becomes the writer of a bus. `name` is [A-Za-z0-9][A-Za-z0-9._-]*, or a path (anything with a '/')
 * of the socket to serve. `format` may be NULL: readers can attach, framebus_writer_set_format()
 * comes later. May block up to 200 ms if the name is being given up, 5 s if its writer was
 * killed and has much memory to give back. *writer is NULL on failure.
 *
 * -EADDRINUSE: another writer has the name (the sentence says its pid). -EINVAL: name, format or
 * an option is wrong. -EACCES, -EPERM: the runtime directory, group or mode cannot be used.
 * -ENOENT: the directory of the path does not exist. -EEXIST: something there is no socket, or
 * another program's.
 * -ENOTSUP: that kind of memory cannot be had here, or no DMA-BUF of it. -ENOMEM, -ENOSPC, -EMFILE:
 * as usual.
 */
FRAMEBUS_API int framebus_writer_open(struct framebus_writer **writer, const char *name,
                                      const struct framebus_format *format,
                                      const struct framebus_writer_options *options);

/**
 * Changes the format: the present pool ends, a new one begins. Readers get the rest of the old
 * frames first, then the new ones. Frames of the old pool that are still lent can no longer be
 * published (-ESTALE). Nothing happens if the format is the same. Waits for lossless readers.
 * -EINVAL: format. -ENOMEM and the like: no new pool; the old one goes on.
 */
FRAMEBUS_API int framebus_writer_set_format(struct framebus_writer *writer,
                                            const struct framebus_format *format);

/**
 * Lends a free slot to write a frame into. Its bytes are whatever was there before. Blocks only in
 * a lossless writer. Every frame must be released, published or not.
 *
 * -EBUSY: max_lends frames are lent already. -ENOSPC, -ENOMEM: no memory for another slot.
 * -ECANCELED: cancel_fd became readable. -ENODATA: there is no format yet.
 */
FRAMEBUS_API int framebus_writer_begin(struct framebus_writer *writer, struct framebus_frame **frame);

/** The same, with room for at least `size` bytes: a pool of payloads that is too small is replaced
 *  by a larger one. -EMSGSIZE: a picture's slot is smaller than that. */
FRAMEBUS_API int framebus_writer_begin_size(struct framebus_writer *writer, uint64_t size,
                                            struct framebus_frame **frame);

/**
 * Publishes a frame: from now on readers see it, in place. The caller may go on reading it until
 * release, and must not write to it any more. Never blocks; makes a system call only for readers
 * that sleep, and to look after the control socket every few milliseconds.
 *
 * -EALREADY: it is published already. -ESTALE: its pool has ended (set_format, end). -EINVAL: size
 * beyond the capacity, or a crop outside the picture. On failure the frame is still lent.
 */
FRAMEBUS_API int framebus_writer_publish(struct framebus_writer *writer, struct framebus_frame *frame);

/** Ends the lend. The slot is used again once no reader has a claim on it. Also after close. */
FRAMEBUS_API void framebus_writer_release(struct framebus_writer *writer, struct framebus_frame *frame);

/** Ends the lend of a frame that was not published: the same as release, for readable code.
 *  -EALREADY: it was published; it is released all the same. */
FRAMEBUS_API int framebus_writer_cancel(struct framebus_writer *writer, struct framebus_frame *frame);

/**
 * Memory of somebody else, in which frames of the present pool may lie: a camera's or decoder's
 * DMA-BUFs, or memfds sealed with F_SEAL_SHRINK. Lives until destroyed.
 */
struct framebus_buffer;

/**
 * Registers such memory with the present pool: up to FRAMEBUS_PLANES_MAX parts that one after the
 * other are a frame as the format describes it (planes in several fds: a part each). Offsets, and sizes
 * but for the last, are multiples of the page size. The fds are duplicated. Readers are sent them once.
 *
 * `returned` is called each time that a frame in it was published or cancelled, and nobody uses it
 * any more: the owner may write to it again. That is when the lend has ended, no reader has a claim on
 * it, and `history` newer frames were published or the pool has ended and every reader left it. It is
 * called without locks by whichever call on this writer found that out; while readers keep buffers,
 * framebus_writer_fd() tells when to dispatch. Closing the writer returns everything.
 *
 * -EINVAL: no `returned`, parts that make no frame, or neither DMA-BUFs nor sealed memfds. -EBUSY: no
 * slots left: open the writer with more max_slots. -EPERM: DMA-BUFs on a bus that others may read,
 * without dmabuf_for_all. -ENODATA: there is no format yet.
 */
FRAMEBUS_API int framebus_buffer_create(struct framebus_buffer **buffer, struct framebus_writer *writer,
                                        const struct framebus_part *parts, unsigned count,
                                        void (*returned)(void *user), void *user);

/** The buffer is used no more; while a frame in it is out, it stays until that has been returned. Also
 *  after close of the writer. NULL is fine. */
FRAMEBUS_API void framebus_buffer_destroy(struct framebus_buffer *buffer);

/**
 * As framebus_writer_begin(), for a frame that is in this buffer already, or will be when it is
 * published. The frame has no mapped memory (data is NULL). Never blocks, not in a lossless writer either.
 * -EBUSY: it has not been returned yet. -ESTALE: its pool has ended; register it again.
 */
FRAMEBUS_API int framebus_writer_begin_buffer(struct framebus_writer *writer, struct framebus_buffer *buffer,
                                              struct framebus_frame **frame);

/**
 * Ends the stream: readers get -ENODATA after the last frame. The writer stays; the next begin
 * starts a new stream, to which the same readers may go on.
 */
FRAMEBUS_API int framebus_writer_end(struct framebus_writer *writer);

/** A file descriptor that is readable when dispatch has something to do. The writer's; do not read
 *  or close it. */
FRAMEBUS_API int framebus_writer_fd(struct framebus_writer *writer);

/**
 * Serves readers: lets them in and out, answers listings. publish does this too, every few
 * milliseconds; a writer that publishes rarely should poll framebus_writer_fd(). Never blocks.
 * Returns 0, or a negative errno if the bus cannot be served any more.
 */
FRAMEBUS_API int framebus_writer_dispatch(struct framebus_writer *writer);

/** Leaves the bus. The name is free at once. Frames still lent stay valid until released; the last
 *  release frees the writer. NULL is fine. */
FRAMEBUS_API void framebus_writer_close(struct framebus_writer *writer);

/* ---- Reader -------------------------------------------------------------------------------- */

/** What framebus_reader_open() may be told. */
struct framebus_reader_options {
    /* how frames come if we are slower than the writer [live] */
    enum framebus_delivery delivery;
    uint32_t quota;    /* frames held at once at the most [2], up to 256 */
    int64_t wait_ns;   /* how long open waits for a writer that is not there [0: not at all] */
    bool follow;       /* when the writer goes, wait for the next one of that name instead of -EPIPE */
    int cancel_fd;     /* open and next return -ECANCELED while this is readable [0: none]; the
                          caller's, must stay open as long as the reader */
    const char *label; /* shown in listings [the process's name] */
    int64_t spin_ns;   /* how long next looks for a frame before it sleeps, on a processor of its own: the
                          wake-up, microseconds for reader and writer, is saved if one comes in that
                          time; nothing else is noticed in it [0: a few microseconds, while frames come as
                          quickly as that], up to 50 ms */
    bool dmabuf;       /* ask for DMA-BUFs: framebus_frame_dmabuf(). Frames that a device wrote need
                          framebus_frame_begin_access() then, and those in memory that cannot be mapped come
                          too, with data NULL */
};

/**
 * A reader of a bus.
 *
 * Thread-safety: one thread at a time for all calls but release, which may come from any thread at
 * any time.
 */
struct framebus_reader;

/**
 * Attaches to a bus, by name or path as for framebus_writer_open(). Blocks until the writer has
 * answered (5 s at the most), and up to wait_ns for a writer to appear; with `follow` and wait_ns 0
 * it returns at once and next does the waiting. *reader is NULL on failure.
 *
 * -ENOENT: no writer. -EACCES: not allowed (the sentence says who is). -EBUSY: the bus has no slots
 * left for this quota. -EAGAIN: so many others knock that the writer had no time for us in 5 s.
 * -EPROTONOSUPPORT: the writer speaks another version of the protocol.
 * -EOPNOTSUPP: lossless asked of a writer that is not. -ETIMEDOUT: the writer does not answer.
 * -EPROTO, -EBADMSG: what answers is no framebus writer. -EINVAL: name or option. -ECANCELED.
 */
FRAMEBUS_API int framebus_reader_open(struct framebus_reader **reader, const char *name,
                                      const struct framebus_reader_options *options);

/**
 * Takes the next frame. It is the caller's, unchanged, until framebus_reader_release(). Frames come
 * in order; frame->missed tells how many were lost before this one. A frame that is already there
 * is taken without a system call. A new reader begins with the newest frame there is.
 *
 * -ETIMEDOUT: none came in time. -ENODATA: the stream has ended (told once; calling again waits for
 * the next stream). -EBUSY: quota frames are held. -ECANCELED. After all of these the reader goes on.
 * -EPIPE: the writer is gone, every frame it left has been delivered. -ECONNABORTED: the writer threw
 * this reader out. With `follow` these two become waits for the next writer, and -ECONNREFUSED says
 * that it refused us (the sentence says why; calling again knocks again).
 * -EPROTO, -EBADMSG: the writer broke the protocol. -ENOMEM, -EMFILE and the like: its pool could not
 * be mapped. -ENOTSUP: a frame is in memory that cannot be mapped at all. After these, and after -EPIPE and
 * -ECONNABORTED without `follow`, only close makes sense.
 */
FRAMEBUS_API int framebus_reader_next(struct framebus_reader *reader, struct framebus_frame **frame,
                                      int64_t timeout_ns);

/** Gives a frame back. Any thread. Also after close. Never blocks. */
FRAMEBUS_API void framebus_reader_release(struct framebus_reader *reader, struct framebus_frame *frame);

/**
 * A file descriptor for poll, GLib, libuv: readable when next(timeout 0) has something to do or
 * tell. Call next with timeout 0 until -ETIMEDOUT before waiting for it. The reader's; do not read
 * or close it; it stays the same as long as the reader. Negative errno on failure.
 */
FRAMEBUS_API int framebus_reader_fd(struct framebus_reader *reader);

/** Changes how many frames may be held at once. Blocks for the writer's answer (1 s at the most), and is
 *  not meant for every frame: a reader that asks more than 100 times a second is thrown out.
 *  -EBUSY: the bus has no room; the old quota stays. -EINVAL: outside 1..256, or below what is
 *  held. -ETIMEDOUT, -ECANCELED: no answer. -ENOTCONN: no writer at present (the wish is kept for the next).
 */
FRAMEBUS_API int framebus_reader_set_quota(struct framebus_reader *reader, uint32_t quota);

/** The format of the pool in which the reader stands, NULL before the first. Valid until the next
 *  call of next. */
FRAMEBUS_API const struct framebus_format *framebus_reader_format(struct framebus_reader *reader);

/** What a reader has been through. */
struct framebus_reader_stats {
    uint64_t delivered;              /* frames that next returned */
    uint64_t missed;                 /* frames that it could not */
    uint64_t writers;                /* writers it has been attached to */
    uint32_t held;                   /* frames not yet released */
    uint32_t quota;                  /* frames it may hold at once */
    enum framebus_delivery delivery; /* lossless readers can be made live */
    int32_t writer_pid;              /* 0: no writer at present */
    bool connected;                  /* there is a writer, and it has let us in */
};

/** Counts and state of a reader, in *stats. Does not block. */
FRAMEBUS_API void framebus_reader_get_stats(struct framebus_reader *reader,
                                            struct framebus_reader_stats *stats);

/** Detaches. Frames still held stay valid until released; the last release frees the reader. NULL
 *  is fine. */
FRAMEBUS_API void framebus_reader_close(struct framebus_reader *reader);

/* ---- Listing ------------------------------------------------------------------------------- */

/** What became of asking a bus. */
enum framebus_bus_state {
    FRAMEBUS_BUS_LIVE = 0, /* a writer answered */
    FRAMEBUS_BUS_SILENT,   /* a writer has the name and does not answer (stopped, or never dispatches) */
    FRAMEBUS_BUS_STALE,    /* left behind by a writer that died; framebus_remove() clears it away */
    FRAMEBUS_BUS_DENIED,   /* we may not connect to it */
};

/** A reader, as its writer sees it. */
struct framebus_peer_info {
    int32_t pid;                        /* its process */
    uint32_t uid;                       /* its user */
    char label[FRAMEBUS_LABEL_MAX + 1]; /* what it calls itself */
    enum framebus_delivery delivery;    /* that it has now */
    uint32_t quota, held;               /* frames it may hold at once, and does hold */
    uint64_t taken, missed;             /* modulo 2^32, as the reader itself counts them */
};

/** A bus. */
struct framebus_bus_info {
    char name[FRAMEBUS_PATH_MAX + 1];   /* name, or the path where it was given as one */
    char path[FRAMEBUS_PATH_MAX + 1];   /* of the socket */
    enum framebus_bus_state state;      /* says which fields are set */
    int32_t pid;                        /* the writer's; 0 if stale or denied. The rest is zero unless live */
    uint32_t uid;                       /* the writer's */
    char label[FRAMEBUS_LABEL_MAX + 1]; /* what it calls itself */
    bool has_format;                    /* format is set */
    bool lossless;                      /* it waits for lossless readers */
    struct framebus_format format;      /* of the present pool */
    enum framebus_memory memory;        /* what slots are made of */
    uint32_t history, max_slots, max_lends; /* as it was opened */
    uint32_t lent;                          /* frames between begin and release */
    uint32_t slots_used;                    /* slots that have memory */
    uint64_t memory_bytes;                  /* what they take */
    uint64_t published;                     /* frames since the bus began */
    uint64_t evicted;                       /* readers thrown out */
    int64_t last_publish_ns;                /* 0: never */
    uint32_t rate_mhz;                      /* frames published lately, a second, times 1000 */
    uint32_t readers;                       /* how many there are ... */
    struct framebus_peer_info *reader;      /* ... and each of them */
};

/** Lists all buses in the runtime directory, sorted by name, in a new array for
 *  framebus_info_free(). Blocks at most 250 ms for each writer that does not answer. Any thread. */
FRAMEBUS_API int framebus_list(struct framebus_bus_info **infos, size_t *count);

/** Asks about one bus, by name or path. -ENOENT: there is none. Otherwise as framebus_list(). */
FRAMEBUS_API int framebus_query(const char *name, struct framebus_bus_info **info);

/** What framebus_query() would tell about this writer's own bus, without asking. */
FRAMEBUS_API int framebus_writer_get_info(struct framebus_writer *writer, struct framebus_bus_info **info);

/** Frees what the functions above made. NULL is fine. */
FRAMEBUS_API void framebus_info_free(struct framebus_bus_info *infos, size_t count);

/**
 * Removes what a dead writer of this name left: its socket, and posix or sysv memory. Returns how
 * many things were removed; the handler, if any, is called for each with a description.
 * -EBUSY: the writer lives (the sentence says its pid); nothing was removed. -EEXIST: the socket is
 * another program's. -ENOENT: there is nothing of that name.
 */
FRAMEBUS_API int framebus_remove(const char *name, void (*removed)(const char *what, void *user), void *user);

/** The directory where buses live, as the environment and the user say, in text; returns its length.
 *  The directory may not exist yet. -ENAMETOOLONG: does not fit. */
FRAMEBUS_API int framebus_directory(char *text, size_t room);

#ifdef __cplusplus
}
#endif

#endif
