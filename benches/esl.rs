//! How fast FreeSWITCH's events are decoded: in memory, and through a loopback socket beside
//! another client of the Event Socket.
//!
//! `cargo bench --bench esl`. With `CALLWRIGHT_ESL_PEER=PROGRAM` the same stream is also served to
//! `PROGRAM PORT`, in turns with our own client; it must read to the end of the stream, look up
//! `Unique-ID` in every event, and print the number of events and its CPU time in nanoseconds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench reports to a person and may give up"
)]

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use callwright::esl::event::EventName;
use callwright::esl::frame::{Decoder, Frame};
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};

/// Events in the stream: 70 % CHANNEL_EXECUTE_COMPLETE, 20 % DTMF, 10 % short ones.
const EVENTS: usize = 20_000;
/// What one read of a socket may bring, in bytes.
const PIECE: usize = 64 * 1024;
/// Rounds of the comparison; the median counts.
const ROUNDS: usize = 9;

static STREAM: LazyLock<Vec<u8>> = LazyLock::new(stream);

fn main() {
    divan::main();
    if std::env::args().any(|argument| argument == "--bench") {
        compare();
    }
}

/// Every plain event of the recordings, as its own bytes.
fn recorded() -> Vec<(EventName, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/transcripts");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    let mut events = Vec::new();
    for path in paths.iter().filter(|path| path.to_string_lossy().ends_with(".in.raw")) {
        let bytes = fs::read(path).unwrap();
        let mut decoder = Decoder::new();
        decoder.feed(&bytes);
        let mut from = 0;
        while let Some(frame) = decoder.next_frame().unwrap() {
            let to = usize::try_from(decoder.position()).unwrap();
            let raw = &bytes[from..to];
            let plain = memchr::memmem::find(raw, b"Content-Type: text/event-plain").is_some();
            if let (Frame::Event(event), true) = (frame, plain) {
                events.push((event.name(), raw.to_vec()));
            }
            from = to;
        }
    }
    events
}

fn stream() -> Vec<u8> {
    let recorded = recorded();
    let of = |wanted: &dyn Fn(EventName) -> bool| -> Vec<&Vec<u8>> {
        recorded.iter().filter(|(name, _)| wanted(*name)).map(|(_, raw)| raw).collect()
    };
    let completes = of(&|name| name == EventName::ChannelExecuteComplete);
    let digits = of(&|name| name == EventName::Dtmf);
    let short = of(&|name| matches!(name, EventName::ChannelState | EventName::BackgroundJob));
    let pick = |nth: usize| match nth % 10 {
        0..=6 => completes[nth % completes.len()],
        7..=8 => digits[nth % digits.len()],
        _ => short[nth % short.len()],
    };
    (0..EVENTS).flat_map(|nth| pick(nth).iter().copied()).collect()
}

/// One look at every event, as a controller would take it.
fn look(frame: &Frame) -> usize {
    match frame {
        Frame::Event(event) => event.header("Unique-ID").map_or(0, |id| id.bytes().len()),
        _ => 0,
    }
}

fn decode(stream: &[u8]) -> usize {
    let mut decoder = Decoder::new();
    let mut seen = 0;
    for piece in stream.chunks(PIECE) {
        decoder.buffer().extend_from_slice(piece);
        while let Some(frame) = decoder.next_frame().unwrap() {
            seen += look(&frame);
        }
    }
    seen
}

#[divan::bench]
fn owned_events_one_value_read(bencher: Bencher<'_, '_>) {
    bencher
        .counter(BytesCount::new(STREAM.len()))
        .counter(ItemsCount::new(EVENTS))
        .bench(|| decode(divan::black_box(&STREAM)));
}

#[divan::bench]
fn owned_events_every_value_decoded(bencher: Bencher<'_, '_>) {
    bencher.counter(BytesCount::new(STREAM.len())).counter(ItemsCount::new(EVENTS)).bench(|| {
        let mut decoder = Decoder::new();
        let mut seen = 0;
        for piece in STREAM.chunks(PIECE) {
            decoder.buffer().extend_from_slice(piece);
            while let Some(frame) = decoder.next_frame().unwrap() {
                if let Frame::Event(event) = frame {
                    seen += event.iter().map(|(_, value)| value.bytes().len()).sum::<usize>();
                }
            }
        }
        seen
    });
}

/// The bound that memory sets: the same bytes, every line end found, nothing else.
#[divan::bench]
fn line_ends_only(bencher: Bencher<'_, '_>) {
    bencher
        .counter(BytesCount::new(STREAM.len()))
        .bench(|| memchr::memchr_iter(b'\n', divan::black_box(&STREAM)).count());
}

/// Nanoseconds of CPU that this thread has used.
fn thread_cpu() -> u64 {
    let line = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    line.split(' ').next().unwrap().parse().unwrap()
}

/// Serves the stream to whoever connects next.
fn feed() -> (SocketAddr, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let feeder = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        socket.write_all(&STREAM).unwrap();
    });
    (address, feeder)
}

fn in_memory() -> f64 {
    let before = thread_cpu();
    assert!(decode(divan::black_box(&STREAM)) > 0);
    seconds(thread_cpu() - before)
}

fn ours() -> f64 {
    let (address, feeder) = feed();
    let client = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let before = thread_cpu();
        let events = runtime.block_on(read_all(address));
        assert_eq!(events, EVENTS);
        thread_cpu() - before
    });
    let cpu = client.join().unwrap();
    feeder.join().unwrap();
    seconds(cpu)
}

async fn read_all(address: SocketAddr) -> usize {
    let socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut decoder = Decoder::new();
    let mut events = 0;
    loop {
        socket.readable().await.unwrap();
        match socket.try_read_buf(decoder.buffer()) {
            Ok(0) => return events,
            Ok(_) => {
                while let Some(frame) = decoder.next_frame().unwrap() {
                    events += usize::from(look(&frame) > 0);
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
    }
}

fn theirs(program: &str) -> f64 {
    let (address, feeder) = feed();
    let output = Command::new(program).arg(address.port().to_string()).output().unwrap();
    feeder.join().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut words = text.split_whitespace();
    assert_eq!(words.next().unwrap().parse::<usize>().unwrap(), EVENTS);
    seconds(words.next().unwrap().parse().unwrap())
}

fn seconds(nanoseconds: u64) -> f64 {
    std::time::Duration::from_nanos(nanoseconds).as_secs_f64()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[allow(clippy::cast_precision_loss, reason = "a length in megabytes")]
fn compare() {
    let megabytes = STREAM.len() as f64 / 1e6;
    let peer = std::env::var("CALLWRIGHT_ESL_PEER").ok();
    let mut memory: Vec<f64> = (0..ROUNDS).map(|_| in_memory()).collect();
    println!("\nin memory, {EVENTS} events, {megabytes:.0} MB, CPU of the thread:");
    println!("  owned events, one value read {:>6.0} MB/s", megabytes / median(&mut memory));
    println!("  the fastest of {ROUNDS} rounds {:>11.0} MB/s", megabytes / memory[0]);
    let (mut own, mut other, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mine = ours();
        own.push(mine);
        if let Some(program) = &peer {
            let cpu = theirs(program);
            other.push(cpu);
            ratios.push(cpu / mine);
        }
    }
    println!("\nthrough a loopback socket, {EVENTS} events, {megabytes:.0} MB, CPU of the reader:");
    println!("  callwright {:>6.0} MB/s", megabytes / median(&mut own));
    if let Some(program) = peer {
        println!("  {program} {:>6.0} MB/s", megabytes / median(&mut other));
        println!("  ratio {:.1} (median of {ROUNDS} rounds in turns)", median(&mut ratios));
    }
}
