//! Commands about channels besides the caller's.

use super::{Channel, Doing, Other};
use crate::base::cause::HangupCause;
use crate::simulator::arguments::split;
use crate::simulator::dialstring::parse;
use crate::simulator::events::Kind;
use crate::simulator::execute::Activity;
use crate::simulator::variables::Variables;
use crate::simulator::wire::until;
use crate::simulator::world::FarEnd;

/// How long a leg is called when nothing says otherwise (`switch_ivr_originate.c`).
const DEFAULT_TIMEOUT_MS: u64 = 60_000;
/// How long what somebody hears lasts before it is hung up.
const SOUNDS_MS: u64 = 2_000;

impl Channel {
    /// `originate '<dial string>' &<application>(<argument>)`, or applications of the inline
    /// dialplan; its output comes when the leg has answered or failed.
    pub(in crate::simulator) fn originate(&mut self, job: Vec<u8>, command: &[u8]) {
        let words = split(until_args(command), b' ', 3);
        let target = words.first().and_then(|dial| parse(dial).into_iter().flatten().next());
        let (Some(target), Some(then)) = (target, words.get(1)) else {
            return self.finish_job(job, command.to_vec(), b"-USAGE: <call url>\n".to_vec());
        };
        let far_end = match self.reach(&target) {
            Ok(far_end) => far_end,
            Err(cause) => {
                let output = format!("-ERR {cause}\n").into_bytes();
                return self.finish_job(job, command.to_vec(), output);
            }
        };
        let uuid = match target.variable("origination_uuid") {
            Some(uuid) => String::from_utf8_lossy(uuid).into_owned(),
            None => self.identity(),
        };
        let limit = target.seconds("originate_timeout").unwrap_or(DEFAULT_TIMEOUT_MS);
        let doing = Doing::Rings {
            far_end,
            limit: self.ms() + limit,
            job,
            command: command.to_vec(),
            then: application(then),
        };
        let (number, since) = (target.number(), self.ms());
        let vars = Variables::default();
        self.call_other(Other { uuid, number, vars, doing, since, ends: None });
    }

    /// Whether a channel of this name is there, the caller's or another.
    pub(in crate::simulator) fn is_up(&self, uuid: &[u8]) -> bool {
        let caller = self.ended.is_none() && uuid == self.call.uuid.as_bytes();
        let dialed = self.bridged_leg().is_some_and(|(leg, _)| leg.as_bytes() == uuid);
        caller || dialed || self.has_other(uuid)
    }

    /// The same for onlookers.
    pub fn is_there(&self, uuid: &str) -> bool {
        self.is_up(uuid.as_bytes())
    }

    /// With which channel the caller is joined.
    pub fn talks_with(&self) -> Option<&str> {
        let joined = self.stack.iter().rev().find_map(|frame| match &frame.activity {
            Activity::Joined(joined) => Some(joined.other()),
            _ => None,
        });
        joined.or_else(|| self.bridged_leg().map(|(uuid, _)| uuid))
    }

    /// `uuid_*` on a channel that is not the caller's; `None` where there is no such channel.
    pub(in crate::simulator) fn api_on_other(
        &mut self,
        command: &[u8],
        words: &[Vec<u8>],
    ) -> Option<Vec<u8>> {
        let uuid = words.first()?;
        if uuid == self.call.uuid.as_bytes() || !self.is_up(uuid) {
            return None;
        }
        Some(match command {
            b"uuid_transfer" => {
                let what = words.get(1).map(Vec::as_slice).unwrap_or_default();
                let inline = words.get(2).is_some_and(|word| word == b"inline");
                let at = self.place(uuid)?;
                self.take_out(at);
                let at = self.find_other(uuid)?;
                self.other_does(at, if inline { first_of(what) } else { b"dialplan" });
                if inline && what.windows(7).any(|part| part == b"^hangup") {
                    self.ends_after_sounds(uuid);
                }
                b"+OK\n".to_vec()
            }
            b"uuid_park" => {
                let at = self.place(uuid)?;
                self.take_out(at);
                let at = self.find_other(uuid)?;
                self.other_does(at, b"park");
                b"+OK\n".to_vec()
            }
            b"uuid_displace" | b"uuid_record" => b"+OK Success\n".to_vec(),
            b"uuid_broadcast" => b"+OK Message sent\n".to_vec(),
            b"uuid_getvar" => {
                let name = words.get(1)?;
                let other = self.find_other(uuid).and_then(|at| self.others.get(at));
                let value = other.and_then(|other| other.vars.get(name));
                value.unwrap_or(b"_undef_").to_vec()
            }
            b"uuid_dump" => return None,
            _ => b"+OK\n".to_vec(),
        })
    }

    pub(in crate::simulator) fn set_on_other(&mut self, uuid: &[u8], name: &[u8], value: &[u8]) {
        let at = self.find_other(uuid);
        if let Some(other) = at.and_then(|at| self.others.get_mut(at)) {
            other.vars.set(name.to_vec(), value.to_vec());
        }
    }

    /// `uuid_bridge <one> <other>`: both leave what they do.
    pub(in crate::simulator) fn api_bridge(&mut self, words: &[Vec<u8>]) -> Vec<u8> {
        const INVALID: &[u8] = b"-ERR Invalid uuid\n";
        let [one, two] = words else { return b"-USAGE: <uuid> <other_uuid>\n".to_vec() };
        if one == two || !self.is_up(one) || !self.is_up(two) {
            return INVALID.to_vec();
        }
        let own = self.call.uuid.clone().into_bytes();
        let name = |uuid: &[u8]| String::from_utf8_lossy(uuid).into_owned();
        self.let_go_for_a_moment(one, two);
        for uuid in [one, two].into_iter().filter(|uuid| **uuid != own) {
            let Some(at) = self.place(uuid) else { return INVALID.to_vec() };
            if matches!(self.others[at].doing, Doing::Rings { .. }) {
                return INVALID.to_vec();
            }
            self.take_out(at);
        }
        for (uuid, with, first) in [(one, two, true), (two, one, false)] {
            if *uuid == own {
                if !first {
                    self.meets(&name(with));
                }
                self.divert_to_join(&name(with));
            } else if let Some(at) = self.find_other(uuid) {
                self.others[at].doing = Doing::Talks { with: name(with), first };
            }
        }
        // FreeSWITCH tells of it on the first of the two only.
        if *one != own {
            let other: [(&str, &[u8]); 3] = [
                ("Bridge-A-Unique-ID", one),
                ("Bridge-B-Unique-ID", two),
                ("Other-Leg-Unique-ID", two),
            ];
            self.tell_far(&name(one), Kind::Bridge, &other);
        }
        [b"+OK ", &two[..], b"\n"].concat()
    }

    /// It hangs up by itself when it has heard what there is to hear.
    fn ends_after_sounds(&mut self, uuid: &[u8]) {
        let ends = (self.ms() + SOUNDS_MS, HangupCause::NormalClearing);
        let at = self.find_other(uuid);
        if let Some(other) = at.and_then(|at| self.others.get_mut(at)) {
            other.ends = Some(ends);
        }
    }

    /// A phone that is in a call of its own takes the caller: that call joins the two.
    pub fn fetch(&mut self, number: &str, now: crate::base::now::Now) {
        self.tick(now);
        let uuid = self.identity();
        let (vars, doing, since) = (Variables::default(), Doing::Plays, self.ms());
        let number = number.to_owned();
        self.call_other(Other { uuid: uuid.clone(), number, vars, doing, since, ends: None });
        let own = self.call.uuid.clone();
        self.api_bridge(&[uuid.into_bytes(), own.into_bytes()]);
        self.tick(now);
    }

    /// An order from elsewhere than the call's own connection; what comes of it is told by
    /// [`Channel::outcomes`] under this number.
    pub fn order(&mut self, number: u64, command: &[u8], now: crate::base::now::Now) {
        self.tick(now);
        if let Some(rest) = command.strip_prefix(b"originate ") {
            let text = [b"originate ", rest].concat();
            self.originate(tag(number), &text);
        } else {
            let (output, _) = self.api(command);
            self.outcomes.push((number, output));
        }
        self.tick(now);
    }

    /// What came of orders.
    pub fn outcomes(&mut self) -> Vec<(u64, Vec<u8>)> {
        std::mem::take(&mut self.outcomes)
    }

    /// Keeps a job's outcome that nobody on the call's own connection asked for.
    pub(in crate::simulator) fn keep_outcome(&mut self, job: &[u8], output: &[u8]) -> bool {
        let number = job.strip_prefix(TAG).and_then(|text| std::str::from_utf8(text).ok());
        let Some(number) = number.and_then(|text| text.parse().ok()) else { return false };
        self.outcomes.push((number, output.to_vec()));
        true
    }

    /// What a dialled party does, or why nobody can be called there.
    pub(in crate::simulator) fn reach(
        &self,
        target: &crate::simulator::dialstring::Target,
    ) -> Result<FarEnd, HangupCause> {
        let number = target.number();
        match target.endpoint() {
            b"error" => Err(crate::simulator::execute::cause_of(number.as_bytes())),
            b"loopback" => Ok(FarEnd::Answers(crate::simulator::world::Answers::default())),
            _ if target.gateway().is_some_and(|gw| !self.world.has_gateway(&gw)) => {
                Err(HangupCause::InvalidGateway)
            }
            b"user" if self.world.far_end(&number).is_none() => Err(HangupCause::SubscriberAbsent),
            _ => {
                let cause = HangupCause::UnallocatedNumber;
                let unallocated = FarEnd::Fails { cause, after: Default::default() };
                Ok(self.world.far_end(&number).cloned().unwrap_or(unallocated))
            }
        }
    }
}

/// Marks jobs that were not asked for on the call's own connection.
const TAG: &[u8] = b"order-";

fn tag(number: u64) -> Vec<u8> {
    [TAG, number.to_string().as_bytes()].concat()
}

fn until_args(command: &[u8]) -> &[u8] {
    command.strip_prefix(b"originate ").unwrap_or(command)
}

/// `&park()` is `park`, `&eavesdrop(x)` is `eavesdrop:x`.
fn application(text: &[u8]) -> Vec<u8> {
    let Some(text) = text.strip_prefix(b"&") else { return first_of(text).to_vec() };
    let name = until(text, |b| b == b'(');
    let argument = text.get(name.len() + 1..).unwrap_or_default();
    [name, b":", until(argument, |b| b == b')')].concat()
}

/// The first of the applications of an inline dialplan; `m:^:` changes what stands between them
/// (`mod_dptools.c` inline_dialplan_hunt).
fn first_of(text: &[u8]) -> &[u8] {
    match text {
        [b'm', b':', mark, b':', rest @ ..] => until(rest, |b| b == *mark),
        _ => until(text, |b| b == b','),
    }
}
