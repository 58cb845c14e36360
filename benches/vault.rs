//! How fast recordings are encrypted and opened again, in memory.
//!
//! `cargo bench --bench vault`. Both hash too: what is sealed is hashed before and after, and
//! `check` opens a file and compares both.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench reports to a person and may give up"
)]

use std::io::{Cursor, sink};

use callwright::base::ids::RecordingId;
use callwright::vault::keys::DataKey;
use callwright::vault::seal::{Opened, check, seal};
use divan::Bencher;
use divan::counter::BytesCount;
use uuid::Uuid;

/// A minute and an hour of stereo sound at 8 000 samples a second.
const LENGTHS: [usize; 2] = [60 * 32_000, 3_600 * 32_000];
/// What a player asks for at once.
const PIECE: u64 = 256 * 1_024;

fn main() {
    divan::main();
}

/// Sound that does not compress and costs nothing to make.
fn sound(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

fn id() -> RecordingId {
    RecordingId(Uuid::from_u128(7))
}

#[divan::bench(args = LENGTHS, sample_count = 10)]
fn seal_and_hash(bencher: Bencher<'_, '_>, length: usize) {
    let sound = sound(length);
    bencher.counter(BytesCount::new(length)).bench(|| {
        let key = DataKey::generate().unwrap();
        seal(&sound[..], sink(), id(), &key).unwrap()
    });
}

#[divan::bench(args = LENGTHS, sample_count = 10)]
fn open_and_check(bencher: Bencher<'_, '_>, length: usize) {
    let (key, mut file) = (DataKey::generate().unwrap(), Vec::new());
    let sealed = seal(&sound(length)[..], &mut file, id(), &key).unwrap();
    bencher
        .counter(BytesCount::new(length))
        .bench(|| check(Cursor::new(&file), id(), &key, &sealed).unwrap());
}

/// A part out of the middle of an hour.
#[divan::bench]
fn open_a_part(bencher: Bencher<'_, '_>) {
    let length = 3_600 * 32_000;
    let (key, mut file) = (DataKey::generate().unwrap(), Vec::new());
    seal(&sound(length)[..], &mut file, id(), &key).unwrap();
    let opened = Opened::new(&file, file.len() as u64, id(), &key).unwrap();
    let from = length as u64 / 2;
    bencher.counter(BytesCount::new(PIECE)).bench(|| {
        let mut bytes = 0;
        for part in opened.parts(from..from + PIECE) {
            let range = usize::try_from(part.stored.start).unwrap()
                ..usize::try_from(part.stored.end).unwrap();
            bytes += opened.open(&part, &mut file[range].to_vec()).unwrap().len();
        }
        bytes
    });
}
