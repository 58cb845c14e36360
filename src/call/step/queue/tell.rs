//! What who waits in a line hears: music, and now and then its place.

use super::{Digits, Ending, ExpectTarget, Plays, Standing, describe};
use crate::call::Call;
use crate::call::output::Media;
use crate::flow::kind::dial::Ringback;
use crate::flow::kind::queue::Queue;

/// What ends sooner is not played again before the next question: an empty file would keep
/// FreeSWITCH busy.
const SHORTEST_MS: u64 = 500;

impl ExpectTarget {
    /// The queue's own music, the tenant's, or a soft tone.
    pub(super) fn play_music(&mut self, call: &mut Call, queue: &Queue) {
        let own = match &queue.dial.ringback {
            Ringback::Prompt(name) if !self.tuneless => Some(call.file(name)),
            Ringback::Prompt(_) | Ringback::Tone | Ringback::EarlyMedia | Ringback::Music => None,
        };
        let music = match own {
            Some(Ok(music)) => music,
            Some(Err(missing)) => {
                call.notice(format!("other music instead: {missing}"));
                self.tuneless = true;
                call.music()
            }
            None => call.music(),
        };
        self.play(call, vec![music], false);
    }

    fn play(&mut self, call: &mut Call, media: Vec<Media>, told: bool) {
        let since_ms = call.state.age_ms;
        self.plays = call.play(media, Digits::default()).then_some(Plays { since_ms, told });
    }

    /// The caller's place, and how long it may still take, where that is known.
    pub(super) fn announce(&mut self, call: &mut Call, queue: &Queue, standing: Standing) {
        let mut said = call.media(&queue.announce.position, None);
        if let (Ok(media), true) = (&mut said, standing.wait_ms.is_some()) {
            match call.media(&queue.announce.wait, None) {
                Ok(wait) => media.extend(wait),
                Err(missing) => said = Err(missing),
            }
        }
        match said {
            Ok(media) if media.is_empty() => {}
            Ok(media) => {
                call.stop_action();
                self.play(call, media, true);
            }
            Err(missing) => call.notice(format!("the caller is told nothing: {missing}")),
        }
    }

    /// Music follows upon music, and upon what was said. What can't be played must not be tried for
    /// ever: first the queue's own music is given up, then the tenant's.
    pub(super) fn played(&mut self, call: &mut Call, queue: &Queue, ending: &Ending) {
        let Some(played) = self.plays.take() else { return };
        let failure = describe::failure(ending);
        if let Some(why) = &failure {
            call.notice(format!("the caller does not hear what it should: {why}"));
        }
        let lasted_ms = call.state.age_ms.saturating_sub(played.since_ms);
        let goes_on = match failure {
            _ if played.told => true,
            Some(_) if !self.tuneless => {
                self.tuneless = true;
                true
            }
            Some(_) if call.is_tuneless() => false,
            Some(_) => {
                call.lose_music();
                true
            }
            None => lasted_ms >= SHORTEST_MS,
        };
        if goes_on {
            self.play_music(call, queue);
        }
    }
}
