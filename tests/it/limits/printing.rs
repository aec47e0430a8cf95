//! Readers who take nothing of what is printed.

use crate::support::*;

/// A pipe that is full, and its reading end, from which nobody reads.
fn full_pipe() -> (std::io::PipeReader, std::io::PipeWriter) {
    use std::io::Write;

    let (reader, writer) = std::io::pipe().unwrap();
    let mut filler = writer.try_clone().unwrap();
    // Until there is no room: one who waits for some says so by not coming back.
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        // It ends when the reading end is closed.
        while filler.write_all(&[b'x'; 4096]).is_ok() {
            let _ = tell.send(());
        }
    });
    // The capacity of a pipe of Linux.
    for _ in 0..16 {
        told.recv_timeout(PATIENCE).unwrap();
    }
    (reader, writer)
}

#[test]
fn the_first_signal_ends_a_run_whose_result_nobody_takes() {
    let dir = Dir::new();
    let (reader, writer) = full_pipe();
    let mut started = dir
        .export(project(DUMP))
        .group(4351)
        .args(["--json"])
        .stdout(writer)
        .start();
    // It is printed when all is done.
    started.wait_until("the export is done", || {
        dir.join("out/manifest.json").exists()
    });
    started.signal("TERM");
    let run = started.wait();
    drop(reader);
    assert_eq!(run.code, Some(130), "{}", run.stderr);
}
