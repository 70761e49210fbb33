/* SPDX-License-Identifier: MIT */
/*
 * The reference of the elements for hotdoc: their properties and enumerations. SECTIONs, with the messages,
 * stand at the head of sink.c and src.c, and signals where they are made. tests/docs/test_reference.py
 * compares all of it with what the elements have.
 */

/* ---- framebussink ---------------------------------------------------------------------------------- */

/**
 * GstFramebusSink:bus:
 *
 * The name of the bus to serve: up to 64 of the characters `A-Z a-z 0-9 . _ -`. What has a `/` in
 * it is the path of the bus's socket. It must be set.
 *
 * Since: 0.9
 */

/**
 * GstFramebusSink:memory:
 *
 * The kind of shared memory. Only memfds are sealed: readers cannot write to them, and nothing is
 * left behind.
 *
 * Since: 0.9
 */

/**
 * GstFramebusSink:huge-pages:
 *
 * Put memfd or System V memory into huge pages. The system must have set some aside, or the element
 * fails.
 *
 * Since: 0.9
 */

/**
 * GstFramebusSink:locked:
 *
 * Keep slots from being swapped out.
 *
 * Since: 0.9
 */

/**
 * GstFramebusSink:access-mode:
 *
 * Who may read, as the mode of a file: 0600 is this user alone, 0660 admits the members of
 * #GstFramebusSink:group.
 *
 * Since: 0.9
 */

/**
 * GstFramebusSink:group:
 *
 * The name or number of the group that the bus belongs to; %NULL is that of the process.
 *
 * Since: 0.9
 */

/**
 * GstFramebusSink:history:
 *
 * The number of frames that are kept for readers that come late or lag behind. A reader that is
 * further behind misses frames.
 *
 * Since: 0.9
 */

/**
 * GstFramebusSink:max-slots:
 *
 * The most slots that a bus may have: for the history, for frames that readers hold, and for those
 * that upstream fills. Slots that were never used take no memory, unless #GstFramebusSink:dmabuf is
 * `slots`; then there are 32 unless this is set.
 *
 * Since: 0.9
 */

/**
 * GstFramebusSink:metadata-size:
 *
 * The most bytes of metadata that a frame may have. What is not used takes no memory.
 *
 * Since: 0.9
 */

/**
 * GstFramebusSink:dmabuf:
 *
 * Which frames are in DMA-BUFs.
 *
 * Since: 0.9
 */

/**
 * GstFramebusSink:dmabuf-for-all:
 *
 * Give DMA-BUFs to readers of other users too, not only to this user and root. Who has a DMA-BUF
 * can write to the frames in it.
 *
 * Since: 0.9
 */

/**
 * GstFramebusSink:stride-align:
 *
 * Rows of pictures in slots begin at multiples of this number of bytes, a power of two, for devices
 * that import slots.
 *
 * Since: 0.9
 */

/**
 * GstFramebusSink:lossless:
 *
 * Wait for readers that asked for `delivery=lossless`. Upstream then waits too.
 *
 * Since: 0.9
 */

/**
 * GstFramebusSink:lossless-timeout:
 *
 * The longest wait for a lossless reader, in nanoseconds; then it becomes a live one. -1 is without
 * limit.
 *
 * Since: 0.9
 */

/**
 * GstFramebusSink:wait-for-connection:
 *
 * Publish nothing until there is a reader.
 *
 * Since: 0.9
 */

/**
 * GstFramebusSink:num-readers:
 *
 * The number of readers that are attached to the bus. Its notification is emitted in a thread of
 * the element's own.
 *
 * Since: 0.9
 */

/**
 * GstFramebusSink:stats:
 *
 * Statistics since the element was started: #guint64 `published`, `zero-copy`, `imported` (in
 * upstream's memory), `copied`, `bytes`, `left-out` (buffers that are not published) and
 * `metas-left-out` (metas that did not fit), #guint `readers`, #guint64 `evicted`, the list
 * `reader-list` of structures with `id`, `name`, `pid`, `missed` and `held`, and the fields of
 * #GstBaseSink:stats.
 *
 * Since: 0.9
 */

/* ---- framebussrc ----------------------------------------------------------------------------------- */

/**
 * GstFramebusSrc:bus:
 *
 * The name of the bus to read, or the path of its socket if there is a `/` in it. The bus need not
 * be there yet. It must be set.
 *
 * Since: 0.9
 */

/**
 * GstFramebusSrc:fd:
 *
 * A socket that is connected to a bus, instead of #GstFramebusSrc:bus, for programs that may not
 * connect by themselves. The element makes a duplicate of it. It is good for one writer. -1 is none.
 *
 * Since: 0.9
 */

/**
 * GstFramebusSrc:delivery:
 *
 * How frames reach a pipeline that is slower than the writer.
 *
 * Since: 0.9
 */

/**
 * GstFramebusSrc:dmabuf:
 *
 * Whether frames in DMA-BUFs are given to downstream as DMA-BUFs.
 *
 * Since: 0.9
 */

/**
 * GstFramebusSrc:hold:
 *
 * The number of frames that downstream may hold in place at one time; further ones are copied. 0 is
 * the number that downstream asks for plus 2, at least 3, and up to 16 if downstream holds more.
 *
 * Since: 0.9
 */

/**
 * GstFramebusSrc:max-rate:
 *
 * The most frames a second that are wanted; 0: all. When one is due the newest is taken. Frames in between
 * do not wake this process and cost the writer nothing. Of coded streams only what follows a key frame can be
 * used, so this is for raw pictures.
 *
 * Since: 0.9
 */

/**
 * GstFramebusSrc:anticipate:
 *
 * The share of one processor, in percent, that may be spent on being awake when a frame is due. The frame is
 * then delivered without a wake-up, which takes most of the time between two processes, and the writer need
 * not wake anybody. It gives up by itself where that does not pay. 0: off.
 *
 * Since: 0.9
 */

/**
 * GstFramebusSrc:on-disconnect:
 *
 * What to do when the writer goes without ending its stream.
 *
 * Since: 0.9
 */

/**
 * GstFramebusSrc:forward-eos:
 *
 * End the stream when the writer ends its own; else wait for the next one.
 *
 * Since: 0.9
 */

/**
 * GstFramebusSrc:timeout:
 *
 * How long to wait for a writer, or for its next frame, before #GstFramebusSrc:on-timeout is done,
 * in nanoseconds. 0 is without limit.
 *
 * Since: 0.9
 */

/**
 * GstFramebusSrc:on-timeout:
 *
 * What to do when nothing has come for #GstFramebusSrc:timeout.
 *
 * Since: 0.9
 */

/**
 * GstFramebusSrc:keep-last:
 *
 * Repeat the last picture, flagged %GST_BUFFER_FLAG_GAP, while there is no writer. The end of a stream
 * then means the same, whatever #GstFramebusSrc:forward-eos is.
 *
 * Since: 0.9
 */

/**
 * GstFramebusSrc:stats:
 *
 * Statistics since the element was started: #guint64 `delivered`, `missed`, `copied`, `dmabuf` (in
 * DMA-BUFs) and `skipped` (they needed a key frame) frames, #guint `held` and `quota`, the number
 * of `writers` so far, `has-writer` and `writer-pid`.
 *
 * Since: 0.9
 */

/* ---- Enumerations ---------------------------------------------------------------------------- */

/**
 * GstFramebusMemoryType:
 * @FRAMEBUS_MEMORY_MEMFD: memfds, which are sealed: readers cannot write to them
 * @FRAMEBUS_MEMORY_POSIX: POSIX shared memory, which is visible in `/dev/shm`
 * @FRAMEBUS_MEMORY_SYSV: System V shared memory, which `ipcs` shows
 *
 * The kind of shared memory that frames are in.
 *
 * Since: 0.9
 */

/**
 * GstFramebusDmabuf:
 * @DMABUF_NONE: none: frames in upstream's DMA-BUFs are copied into slots
 * @DMABUF_UPSTREAM: those that come in upstream's own DMA-BUFs, which are shared as they are
 * @DMABUF_SLOTS: all: slots are DMA-BUFs too, for upstream to import; it needs `/dev/udmabuf`
 *
 * Which frames are in DMA-BUFs.
 *
 * Since: 0.9
 */

/**
 * GstFramebusSrcDmabuf:
 * @DMABUF_AUTO: as DMA-BUFs, where they are in some
 * @DMABUF_NEVER: as plain memory; a frame that cannot be mapped is an error
 *
 * What frames in DMA-BUFs are to downstream.
 *
 * Since: 0.9
 */

/**
 * GstFramebusDelivery:
 * @FRAMEBUS_DELIVERY_LIVE: in order; a slow reader misses the oldest frames
 * @FRAMEBUS_DELIVERY_LATEST: only the newest frame
 * @FRAMEBUS_DELIVERY_LOSSLESS: every frame; a writer that is lossless too waits
 *
 * How frames reach a reader that is slower than the writer.
 *
 * Since: 0.9
 */

/**
 * GstFramebusOnDisconnect:
 * @ON_DISCONNECT_WAIT: wait for the next writer of that name
 * @ON_DISCONNECT_EOS: end the stream
 * @ON_DISCONNECT_ERROR: post an error
 *
 * What a source does when its writer goes without ending its stream.
 *
 * Since: 0.9
 */

/**
 * GstFramebusOnTimeout:
 * @ON_TIMEOUT_MESSAGE: post a `framebussrc-timeout` message, again and again
 * @ON_TIMEOUT_EOS: post that message and end the stream
 * @ON_TIMEOUT_ERROR: post an error
 *
 * What a source does when nothing has come for a while.
 *
 * Since: 0.9
 */
