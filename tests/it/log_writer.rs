//! The thread that writes log lines.

use std::io::{Read as _, pipe};
use std::time::{Duration, Instant};

use countersign::telemetry::LogWriter;

/// Reads until the last line came. Answers what was read, and in how many pieces.
fn read_all(mut reader: std::io::PipeReader, last: &str) -> (String, u32) {
    let (mut text, mut pieces, mut piece) = (String::new(), 0, [0; 8192]);
    while !text.ends_with(last) {
        let length = reader.read(&mut piece).unwrap();
        assert!(length > 0, "the log ended with {text}");
        text.push_str(std::str::from_utf8(&piece[..length]).unwrap());
        pieces += 1;
    }
    (text, pieces)
}

/// The first line after a pause is written at once. Those that follow gather for 5 ms, so that a busy service does not
/// write each by itself; none waits for another to come, none is lost, and they stay in order.
#[test]
fn lines_that_come_quickly_are_written_together() {
    let (reader, writer) = pipe().unwrap();
    let log = LogWriter::start(&writer).unwrap();
    let lines: Vec<String> = (0..200).map(|number| format!("line {number}\n")).collect();
    let reading = std::thread::spawn(|| read_all(reader, "line 199\n"));
    let started = Instant::now();
    for line in &lines {
        log.put(line.as_bytes());
        // Time enough for the thread to write each, if it did.
        std::thread::sleep(Duration::from_micros(100));
    }
    let (text, pieces) = reading.join().unwrap();
    let gathered = u32::try_from(started.elapsed().as_millis() / 5).unwrap();
    assert_eq!(text, lines.concat());
    assert!(pieces <= gathered + 2, "{pieces} writes in {:?}", started.elapsed());
    assert_eq!(log.dropped(), 0);
}

/// Whoever ends the process waits for the last lines, not for the time in which others might come.
#[test]
fn the_last_lines_are_there_after_a_flush() {
    let (mut reader, writer) = pipe().unwrap();
    let log = LogWriter::start(&writer).unwrap();
    for _ in 0..10 {
        log.put(b"a\n");
        log.put(b"b\n");
        log.flush(Duration::from_secs(60));
        let mut written = [0; 4];
        reader.read_exact(&mut written).unwrap();
        assert_eq!(&written, b"a\nb\n");
    }
}
