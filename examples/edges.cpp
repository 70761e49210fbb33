/* SPDX-License-Identifier: MIT */
/* Finds edges in the pictures of one bus and publishes them on another: edges [FROM [TO]]. Ctrl-C ends it. */
#include <framebus/opencv.hpp>

#include <csignal>
#include <iostream>

static framebus::reader *source;

int main(int argc, char **argv)
try {
    framebus::reader_options options;
    options.wait = framebus::forever;
    framebus::reader reader(argc > 1 ? argv[1] : "cam0", options);
    framebus::writer writer(argc > 2 ? argv[2] : "edges");

    source = &reader;
    std::signal(SIGINT, [](int) { source->stop(); });
    cv::Mat picture, grey;
    for (const framebus::frame &frame : reader) {
        framebus::bgr(frame, picture);
        cv::cvtColor(picture, grey, cv::COLOR_BGR2GRAY);
        writer.set_format(framebus::format("GRAY8", frame.width(), frame.height()));
        framebus::writable_frame slot = writer.begin();
        cv::Mat edges = framebus::mat(slot); /* the slot itself: Canny() writes to shared memory */
        cv::Canny(grey, edges, 80, 160);
        slot.set_captured(frame.captured());
        slot.publish();
    }
    return 0;
} catch (const std::exception &error) {
    std::cerr << "edges: " << error.what() << '\n';
    return 1;
}
