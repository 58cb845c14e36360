//! Recordings as nobody else can read or change them: the format of their files, the keys, and
//! where the files lie. Which recording has which key is the store's.

pub mod config;
pub mod format;
pub mod keys;
pub mod objects;
pub mod seal;

/// SHA-256 as hexadecimal digits.
pub fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
