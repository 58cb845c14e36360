//! When a certificate ends (X.509, RFC 5280 section 4.1).

use std::path::Path;

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// When the first certificate in a PEM file ends.
///
/// # Errors
/// A sentence: it can't be read, or holds none.
pub(super) fn ends(file: &Path) -> Result<Timestamp, String> {
    let first = CertificateDer::pem_file_iter(file).map_err(|error| error.to_string())?.next();
    let first = first.ok_or("there is no certificate in it")?.map_err(|error| error.to_string())?;
    not_after(&first).ok_or_else(|| "its certificate can't be read".to_owned())
}

fn not_after(der: &[u8]) -> Option<Timestamp> {
    let (certificate, _) = expect(der, SEQUENCE)?;
    let (mut rest, _) = expect(certificate, SEQUENCE)?;
    if rest.first() == Some(&VERSION) {
        rest = element(rest)?.2;
    }
    // Its number, the algorithm and the issuer come first.
    for _ in 0..3 {
        rest = element(rest)?.2;
    }
    let (validity, _) = expect(rest, SEQUENCE)?;
    let (_, _, until) = element(validity)?;
    let (tag, time, _) = element(until)?;
    read_time(tag, std::str::from_utf8(time).ok()?)
}

fn expect(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, value, rest) = element(bytes)?;
    (found == tag).then_some((value, rest))
}

/// An element of DER: its tag, its value and what follows.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        short @ 0..=0x7f => (usize::from(*short), rest),
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (value, rest) = rest.split_at_checked(length)?;
    Some((*tag, value, rest))
}

/// `YYMMDDHHMMSSZ`, years from 1950 on, or `YYYYMMDDHHMMSSZ`.
fn read_time(tag: u8, text: &str) -> Option<Timestamp> {
    let whole = match tag {
        UTC_TIME if text.get(..2)? < "50" => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    Timestamp::strptime("%Y%m%d%H%M%S%z", whole.replace('Z', "+0000")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_certificate_is_read_from_its_file() {
        let folder = tempfile::tempdir().unwrap();
        for year in [2031, 2055] {
            let key = rcgen::KeyPair::generate().unwrap();
            let mut params = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
            params.not_after = rcgen::date_time_ymd(year, 2, 3);
            let file = folder.path().join("certificate.pem");
            std::fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
            let expected = format!("{year}-02-03T00:00:00Z");
            assert_eq!(ends(&file).unwrap().to_string(), expected);
        }
        assert!(ends(Path::new("/nowhere")).is_err());
        assert_eq!(not_after(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
