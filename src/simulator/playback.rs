//! Sounds: files, lists of files, tones, silence, speech. A playback takes as long as its sound,
//! ends early on a terminator key or a break, and says `FILE PLAYED` either way (mod_dptools.c,
//! `playback_function`).

use super::arguments::split;
use super::channel::Channel;
use super::events::Kind;
use super::execute::{Activity, End, Served};
use super::observed::Observed;
use super::wire::atoi;

/// Parts of one `file_string://`.
const MAX_PARTS: usize = 128;
/// Repetitions and lengths of a tone beyond a day count as without end.
const MAX_TONE_MS: u64 = 24 * 3_600_000;

/// One piece of sound; without a length it has no end.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    item: String,
    ms: Option<u64>,
}

/// A sound that is being played.
#[derive(Debug)]
pub(super) struct Player {
    file: Vec<u8>,
    parts: Vec<Part>,
    at: usize,
    since: u64,
    heard: usize,
    /// When the current part is over.
    pub(super) until: Option<u64>,
    /// The application `playback`: it has terminator keys and a response.
    pub(super) reports: bool,
    /// Start and stop are told as events; speech has none.
    events: bool,
}

impl Channel {
    pub(super) fn begin_playback(&mut self, data: Option<&[u8]>) -> Activity {
        self.vars.unset(b"playback_terminator_used");
        let file = data.unwrap_or_default();
        let end = file.windows(2).position(|w| w == b"@@").unwrap_or(file.len());
        match self.open_player(&file[..end]) {
            Ok(mut player) => {
                player.reports = true;
                Activity::Play(player)
            }
            Err(response) => {
                self.respond(response);
                Activity::Done
            }
        }
    }

    /// Starts a sound, or says why there is none.
    pub(super) fn open_player(&mut self, file: &[u8]) -> Result<Player, &'static str> {
        if file.is_empty() {
            return Err("PLAYBACK ERROR");
        }
        let parts = self.parts(&String::from_utf8_lossy(file));
        if parts.is_empty() {
            let item = String::from_utf8_lossy(file).into_owned();
            self.note(Observed::Missing { item });
            return Err("FILE NOT FOUND");
        }
        Ok(self.start_player(file, parts, true))
    }

    fn start_player(&mut self, file: &[u8], parts: Vec<Part>, events: bool) -> Player {
        let since = self.ms();
        let mut player = Player {
            file: file.to_vec(),
            parts,
            at: 0,
            since,
            heard: 0,
            until: None,
            reports: false,
            events,
        };
        self.start_part(&mut player);
        self.fire_playback(Kind::PlaybackStart, &player, None);
        player
    }

    fn start_part(&mut self, player: &mut Player) {
        let Some(part) = player.parts.get(player.at) else { return };
        player.until = part.ms.map(|ms| self.ms() + ms);
        let item = part.item.clone();
        player.heard = if self.is_leaving() {
            usize::MAX
        } else {
            self.note(Observed::Heard { item, to_ms: None, broken: false })
        };
    }

    fn fire_playback(&mut self, kind: Kind, player: &Player, status: Option<&str>) {
        if !player.events {
            return;
        }
        let mut extra: Vec<(&str, &[u8])> = Vec::new();
        for form in ["tone_stream", "local_stream"] {
            if player.file.starts_with(form.as_bytes()) {
                extra.push(("Playback-File-Type", form.as_bytes()));
            }
        }
        extra.push(("Playback-File-Path", &player.file));
        if let Some(status) = status {
            extra.push(("Playback-Status", status.as_bytes()));
        }
        self.fire(kind, &[], &extra);
    }

    /// Ends a sound. `cut`: the caller did not hear all of it; `broken`: somebody asked for that.
    pub(super) fn stop_player(&mut self, player: &Player, cut: bool, broken: bool) {
        let now = self.ms();
        self.log.end_sound(player.heard, now, cut || broken);
        if player.events {
            let ms = now - player.since;
            for (name, value) in [
                ("playback_last_offset_pos", ms * 8),
                ("playback_seconds", ms / 1_000),
                ("playback_ms", ms),
                ("playback_samples", ms * 8),
            ] {
                self.vars.set(name.as_bytes(), value.to_string().into_bytes());
            }
        }
        let status = if broken { "break" } else { "done" };
        self.fire_playback(Kind::PlaybackStop, player, Some(status));
    }

    /// Goes on to the next part; true when there is none left.
    pub(super) fn play_on(&mut self, player: &mut Player) -> bool {
        if player.until.is_none_or(|until| until > self.ms()) {
            return false;
        }
        if player.at + 1 >= player.parts.len() {
            return true;
        }
        self.log.end_sound(player.heard, self.now.mono_ms, false);
        player.at += 1;
        self.start_part(player);
        false
    }

    pub(super) fn serve_playback(&mut self, player: &mut Player) -> Served {
        let broken = self.take_break();
        let terminated = !broken && self.digit_is_due() && self.read_terminator();
        if broken || terminated {
            self.stop_player(player, true, true);
        } else if self.play_on(player) {
            self.stop_player(player, false, false);
        } else if self.digit_is_due() {
            return Served::Again;
        } else {
            return Served::Waits;
        }
        if player.reports {
            self.respond("FILE PLAYED");
        }
        // A terminator key ends the sound and nothing else; a break also holds back what is queued.
        Served::Ends(if broken { End::Broken } else { End::Normal })
    }

    pub(super) fn digit_is_due(&self) -> bool {
        !self.digits.is_empty() && self.digit_at <= self.ms()
    }

    /// Takes a key from the caller; true if it is one that ends a playback (mod_dptools.c,
    /// `on_dtmf`).
    pub(super) fn read_terminator(&mut self) -> bool {
        let Some(digit) = self.read_digit() else { return false };
        let terminators = self.vars.get(b"playback_terminators").unwrap_or(b"*");
        let ends = match &terminators.to_ascii_lowercase()[..] {
            b"none" => false,
            b"any" => b"1234567890*#".contains(&digit.byte()),
            _ => terminators.contains(&digit.byte()),
        };
        if ends {
            self.vars.set(&b"playback_terminator_used"[..], vec![digit.byte()]);
        }
        ends
    }

    pub(super) fn begin_say(&mut self, text: &[u8]) -> Activity {
        self.vars.unset(b"playback_terminator_used");
        let words = split(text, b' ', 4);
        let language = words.first().map_or(&b""[..], |w| &w[..]);
        let known = language
            .get(..2)
            .is_some_and(|l| b"endefresitnlptruplsvzhja".chunks(2).any(|k| k == l));
        let said = words.get(3).or_else(|| words.get(2)).filter(|_| known);
        let item = String::from_utf8_lossy(text).into_owned();
        let characters = said.map_or(0, |said| said.len());
        self.speech(item, self.world.sounds.said_character.ms() * characters as u64)
    }

    pub(super) fn begin_speak(&mut self, text: &[u8]) -> Activity {
        self.vars.unset(b"playback_terminator_used");
        let words = split(text, b'|', 3);
        let (engine, spoken) = match words.len() {
            0 => return Activity::Done,
            1 => (self.vars.get(b"tts_engine").map(<[u8]>::to_vec), text.to_vec()),
            2 => (self.vars.get(b"tts_engine").map(<[u8]>::to_vec), words[1].clone()),
            _ => (Some(words[0].clone()), words[2].clone()),
        };
        let engine = String::from_utf8_lossy(&engine.unwrap_or_default()).into_owned();
        if !self.world.sounds.engines.contains(&engine) {
            self.note(Observed::Missing { item: format!("speech engine {engine}") });
            return Activity::Done;
        }
        let length = self.world.sounds.spoken_character.ms() * spoken.len() as u64;
        self.speech(String::from_utf8_lossy(&spoken).into_owned(), length)
    }

    fn speech(&mut self, item: String, ms: u64) -> Activity {
        if ms == 0 {
            return Activity::Done;
        }
        let part = Part { item, ms: Some(ms) };
        Activity::Play(self.start_player(b"", vec![part], false))
    }

    fn parts(&self, file: &str) -> Vec<Part> {
        let Some(list) = file.strip_prefix("file_string://") else {
            return self.part(file).into_iter().collect();
        };
        list.split('!').take(MAX_PARTS).filter_map(|part| self.part(part)).collect()
    }

    fn part(&self, file: &str) -> Option<Part> {
        let (_, bare) =
            file.strip_prefix('{').and_then(|f| f.split_once('}')).unwrap_or(("", file));
        let scheme = bare.split_once("://");
        let ms = match scheme {
            Some(("tone_stream", tones)) => tone_length(tones),
            Some(("silence_stream", rest)) => u64::try_from(atoi(rest.as_bytes())).ok(),
            Some(("local_stream", _)) => None,
            Some(("http" | "https" | "shout" | "vlc", _)) | None => Some(self.file_length(bare)?),
            Some(_) => return None,
        };
        Some(Part { item: bare.to_owned(), ms })
    }

    fn file_length(&self, path: &str) -> Option<u64> {
        let recorded = self.recorded.iter().rev().find(|(name, _)| name == path.as_bytes());
        recorded.map(|(_, ms)| *ms).or_else(|| self.world.sounds.length(path))
    }
}

/// Sums up `%(on,off,frequencies)` over its repetitions (libteletone); `None`: without end.
fn tone_length(text: &str) -> Option<u64> {
    let mut loops = 1i64;
    let mut round = 0u64;
    for word in text.split(';') {
        if let Some(count) = word.strip_prefix("loops=").or_else(|| word.strip_prefix("L=")) {
            loops = atoi(count.as_bytes());
        }
        for tone in word.split("%(").skip(1) {
            let mut numbers =
                tone.split(',').map(|n| u64::try_from(atoi(n.as_bytes())).unwrap_or(0));
            let (on, off) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
            round = round.saturating_add(on).saturating_add(off);
        }
    }
    let loops = u64::try_from(loops).ok()?;
    let all = round.saturating_mul(loops.max(1));
    (all <= MAX_TONE_MS).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_lasts_as_long_as_all_its_rounds() {
        assert_eq!(tone_length("%(1000,500,440);loops=2"), Some(3_000));
        assert_eq!(tone_length("v=-7;%(500,0,800);%(100,50,440,480)"), Some(650));
        assert_eq!(tone_length("%(500,500,440);loops=-1"), None);
        assert_eq!(tone_length("%(99999999999999999999,1,1)"), None);
    }
}
