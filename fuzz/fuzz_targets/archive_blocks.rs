//! A custom archive on a pipe: its table of contents and its data blocks.
#![no_main]

use std::io::Cursor;
use std::ops::ControlFlow;

use libfuzzer_sys::fuzz_target;
use relexport::snapshot::StreamSource;
use relexport::snapshot::kind::archive::CustomStream;

fuzz_target!(|bytes: &[u8]| {
    let stream = CustomStream::new(Box::new(Cursor::new(bytes.to_vec())), "fuzz");
    let _ = Box::new(stream).read(&|_| true, &mut |_| ControlFlow::Continue(()));
});
