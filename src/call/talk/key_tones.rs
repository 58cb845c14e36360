//! Keys as they sound, for who is to hear a number without a voice that says it.

use crate::base::millis::Millis;
use crate::call::output::Media;
use crate::flow::prompt::TonePrompt;

/// The tones of keys: each row's frequency and each column's, in Hz (ITU-T Q.23), and how long they
/// sound and pause, in ms.
const ROWS: [u16; 4] = [697, 770, 852, 941];
const COLUMNS: [u16; 3] = [1_209, 1_336, 1_477];
const KEY_TONE: (Millis, Millis) = (Millis(250), Millis(150));

/// What is heard where this key is pressed.
pub(super) fn key_tone(key: u8) -> Media {
    let place = usize::from(key.saturating_sub(b'1'));
    let (row, column) = if key == b'0' { (3, 1) } else { (place / 3, place % 3) };
    let tone = vec![ROWS[row.min(3)], COLUMNS[column.min(2)]];
    let (on, off) = KEY_TONE;
    Media::Tone(TonePrompt { tone, on, off, times: 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_sounds_as_its_keys_do() {
        let tones = |key| match key_tone(key) {
            Media::Tone(tone) => tone.tone,
            other => panic!("{other:?}"),
        };
        for (key, tone) in [
            (b'1', [697, 1_209]),
            (b'3', [697, 1_477]),
            (b'5', [770, 1_336]),
            (b'7', [852, 1_209]),
            (b'9', [852, 1_477]),
            (b'0', [941, 1_336]),
        ] {
            assert_eq!(tones(key), tone, "{}", char::from(key));
        }
    }
}
