//! A call's state as a text on its channel: small, unreadable for others, and refused if anybody
//! changed it.
//!
//! JSON, so that a release can read what another wrote; compressed against a sample that both know
//! (`state.sample.json`); encrypted and authenticated by AES-256-GCM under a key of the channel's
//! own, which HKDF (RFC 5869) derives from the operator's; in base64url. A channel's state can't be
//! put on another.

use std::cell::RefCell;
use std::fmt;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{SHA256, digest};
use ring::hkdf::{HKDF_SHA256, Prk, Salt};
use ring::rand::{SecureRandom, SystemRandom};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zstd::bulk::{Compressor, Decompressor};

use super::translate::variables::Former;
use crate::base::ids::{ChannelId, InstanceId};
use crate::call::Tie;
use crate::call::handover::{Kept, Taken};
use crate::esl::argument::{Refused, VariableValue};

/// The first byte: how what comes after the key's name is read. Another sample or cipher is another
/// format.
const FORMAT: u8 = 2;
/// Bytes of a key's digest that tell which key sealed a state.
const NAME_BYTES: usize = 4;
const HEAD_BYTES: usize = 1 + NAME_BYTES + NONCE_LEN;
/// Bytes of a key.
const KEY_BYTES: usize = 32;
/// Keys that open states.
const KEYS_MAX: usize = 8;
/// A state is at most so many bytes long before it is compressed.
const STATE_MAX: usize = 512 * 1_024;
const LEVEL: i32 = 3;
/// What states look like; zstd finds in it what all of them have in common.
static SAMPLE: &[u8] = include_bytes!("state.sample.json");

static WORDS: LazyLock<zstd::dict::EncoderDictionary<'static>> =
    LazyLock::new(|| zstd::dict::EncoderDictionary::copy(SAMPLE, LEVEL));

thread_local! {
    /// One for each thread: making one costs more than using it.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
}

/// What is written on a channel.
#[derive(Debug, Serialize)]
pub struct Carried<'a> {
    pub call: Kept<'a>,
    /// The process that writes.
    pub holder: InstanceId,
    /// What the channel's variables were before us.
    pub former: &'a Former,
}

/// What was read from a channel.
#[derive(Debug, Deserialize)]
pub struct Opened {
    pub call: Taken,
    pub holder: InstanceId,
    #[serde(default)]
    pub former: Former,
}

/// What a sealed text is: one can't be put in the place of the other.
#[derive(Debug, Clone, Copy)]
enum Kind {
    State,
    Tie,
}

impl Kind {
    /// What is authenticated besides.
    const fn named(self) -> &'static [u8] {
        match self {
            Self::State => &[FORMAT],
            Self::Tie => &[FORMAT, b't'],
        }
    }
}

/// Why a state can't be written.
#[derive(Debug, Error)]
pub enum SealError {
    #[error("the state can't be written: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the state has {0} bytes, more than {STATE_MAX}")]
    TooLong(usize),
    #[error("the state can't be compressed: {0}")]
    Compression(#[from] std::io::Error),
    #[error("the state can't be encrypted")]
    Cipher,
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// Why a text is not a state of ours.
#[derive(Debug, Error)]
pub enum OpenError {
    #[error("it is not a state at all")]
    Damaged,
    #[error("it is of format {0}; this release reads format {FORMAT}")]
    Format(u8),
    #[error("it was sealed with a key that is not in the key file")]
    Key,
    #[error("it was changed, or belongs to another channel")]
    Forged,
    #[error("this release can't read it: {0}")]
    Unreadable(#[from] serde_json::Error),
}

impl OpenError {
    /// Whether it is a state of another release, so that to begin the call anew would be wrong.
    pub const fn is_foreign(&self) -> bool {
        matches!(self, Self::Format(_) | Self::Unreadable(_))
    }
}

/// Why there are no keys.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum KeyError {
    #[error("the key file has no key")]
    None,
    #[error("the key file has more than {KEYS_MAX} keys")]
    TooMany,
    #[error("line {0} of the key file is not a key: expected {KEY_BYTES} bytes in base64")]
    Wrong(usize),
    #[error("the system has no random numbers")]
    Random,
}

struct Key {
    name: [u8; NAME_BYTES],
    secret: Prk,
}

/// The operator's keys: the first seals, all open.
pub struct Keys {
    keys: Vec<Key>,
    random: SystemRandom,
}

impl Keys {
    /// A new key as a line for the key file.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn generate() -> Result<String, KeyError> {
        let mut key = [0; KEY_BYTES];
        SystemRandom::new().fill(&mut key).map_err(|_| KeyError::Random)?;
        Ok(format!("{}\n", STANDARD.encode(key)))
    }

    /// Keys that nobody else has and that are gone with the process: for simulations.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn ephemeral() -> Result<Self, KeyError> {
        Self::read(&Self::generate()?)
    }

    /// Reads a key file: a key on each line, the one in use first; `#` begins a remark.
    ///
    /// # Errors
    /// Names the line, never the key.
    pub fn read(text: &str) -> Result<Self, KeyError> {
        let lines = text.lines().map(str::trim).enumerate();
        let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let keys = lines.map(|(at, line)| key(line).ok_or(KeyError::Wrong(at + 1)));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        match keys.len() {
            0 => Err(KeyError::None),
            1..=KEYS_MAX => Ok(Self { keys, random: SystemRandom::new() }),
            _ => Err(KeyError::TooMany),
        }
    }

    /// Seals a state for this channel.
    ///
    /// # Errors
    /// It is too long, or something that can't happen has.
    pub fn seal(
        &self,
        channel: &ChannelId,
        carried: &Carried<'_>,
    ) -> Result<VariableValue, SealError> {
        self.seal_as(Kind::State, channel, carried)
    }

    /// Seals what the far party's channel carries of its call.
    ///
    /// # Errors
    /// As [`Keys::seal`].
    pub fn seal_tie(&self, channel: &ChannelId, tie: &Tie) -> Result<VariableValue, SealError> {
        self.seal_as(Kind::Tie, channel, tie)
    }

    fn seal_as(
        &self,
        kind: Kind,
        channel: &ChannelId,
        carried: &impl Serialize,
    ) -> Result<VariableValue, SealError> {
        let json = serde_json::to_vec(carried)?;
        if json.len() > STATE_MAX {
            return Err(SealError::TooLong(json.len()));
        }
        let key = self.keys.first().ok_or(SealError::Cipher)?;
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(|_| SealError::Cipher)?;
        let mut body = compressed(&json)?;
        let aead = key.of(channel).ok_or(SealError::Cipher)?;
        let nonce_once = Nonce::assume_unique_for_key(nonce);
        aead.seal_in_place_append_tag(nonce_once, Aad::from(kind.named()), &mut body)
            .map_err(|_| SealError::Cipher)?;
        let mut sealed = Vec::with_capacity(HEAD_BYTES + body.len());
        sealed.push(FORMAT);
        sealed.extend_from_slice(&key.name);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&body);
        Ok(VariableValue::sealed(&URL_SAFE_NO_PAD.encode(sealed))?)
    }

    /// Opens what was sealed for this channel.
    ///
    /// # Errors
    /// It is not ours, not this channel's, or not of this release.
    pub fn open(&self, channel: &ChannelId, text: &str) -> Result<Opened, OpenError> {
        self.open_as(Kind::State, channel, text)
    }

    /// Opens what a far party's channel carries.
    ///
    /// # Errors
    /// As [`Keys::open`].
    pub fn open_tie(&self, channel: &ChannelId, text: &str) -> Result<Tie, OpenError> {
        self.open_as(Kind::Tie, channel, text)
    }

    fn open_as<T: DeserializeOwned>(
        &self,
        kind: Kind,
        channel: &ChannelId,
        text: &str,
    ) -> Result<T, OpenError> {
        let sealed = URL_SAFE_NO_PAD.decode(text).map_err(|_| OpenError::Damaged)?;
        let (head, body) = sealed.split_at_checked(HEAD_BYTES).ok_or(OpenError::Damaged)?;
        let (format, head) = head.split_first().ok_or(OpenError::Damaged)?;
        let (name, nonce) = head.split_at_checked(NAME_BYTES).ok_or(OpenError::Damaged)?;
        let key = self.keys.iter().find(|key| key.name == name).ok_or(OpenError::Key)?;
        if *format != FORMAT {
            return Err(OpenError::Format(*format));
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| OpenError::Damaged)?;
        let mut body = body.to_vec();
        let aead = key.of(channel).ok_or(OpenError::Forged)?;
        let plain = aead.open_in_place(nonce, Aad::from(kind.named()), &mut body);
        let plain = plain.map_err(|_| OpenError::Forged)?;
        let json = Decompressor::with_dictionary(SAMPLE)
            .and_then(|mut decompressor| decompressor.decompress(plain, STATE_MAX))
            .map_err(|_| OpenError::Damaged)?;
        Ok(serde_json::from_slice(&json)?)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.keys.len())
    }
}

impl Key {
    fn of(&self, channel: &ChannelId) -> Option<LessSafeKey> {
        let info = [b"callwright state ".as_slice(), channel.as_str().as_bytes()];
        let key = self.secret.expand(&info, &AES_256_GCM).ok()?;
        Some(LessSafeKey::new(UnboundKey::from(key)))
    }
}

fn key(line: &str) -> Option<Key> {
    let bytes = STANDARD.decode(line).ok().filter(|bytes| bytes.len() == KEY_BYTES)?;
    let secret = Salt::new(HKDF_SHA256, &[]).extract(&bytes);
    let name = digest(&SHA256, &bytes).as_ref().first_chunk().copied()?;
    Some(Key { name, secret })
}

fn compressed(json: &[u8]) -> std::io::Result<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|slot| {
        if slot.is_none() {
            let mut compressor = Compressor::with_prepared_dictionary(&WORDS)?;
            compressor.include_contentsize(false)?;
            compressor.include_checksum(false)?;
            *slot = Some(compressor);
        }
        match slot {
            Some(compressor) => compressor.compress(json),
            None => Err(std::io::Error::other("no compressor")),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::ids::{CallId, TenantId};
    use crate::base::now::Now;
    use crate::call::Call;
    use crate::call::arrival::{Arrival, Via};
    use crate::flow::parse::parse_yaml;
    use crate::flow::program::{Program, Published, Settings};

    const FLOW: &str = "
callwright: 1
start: menu
variables: { tries: 0, name: \"\" }
steps:
  menu: { kind: menu, prompts: [welcome], choices: { \"1\": bye, \"2\": bye } }
  bye: { kind: hangup }
";

    fn call(channel: &str) -> Call {
        let flow = parse_yaml(FLOW.as_bytes()).unwrap();
        let main: crate::base::ids::FlowName = "main".parse().unwrap();
        let published = Published::new(main.clone(), 3, flow);
        let program = Program {
            tenant: TenantId(uuid::Uuid::from_u128(0x1234_5678_9abc_def0)),
            timezone: "Europe/Berlin".into(),
            flows: [(main.clone(), Arc::new(published))].into(),
            main,
            prompts: std::collections::BTreeMap::default(),
            settings: Settings::default(),
        };
        let arrival = Arrival {
            call: CallId(uuid::Uuid::from_u128(0xfedc_ba98_7654_3210_0123)),
            channel: channel.parse().unwrap(),
            caller_name: "Ada Lovelace".into(),
            caller_number: "+15550100123".into(),
            dialed: "+15550199456".into(),
            answered: true,
            variables: std::collections::BTreeMap::default(),
            via: Via::default(),
        };
        let now = Now::new(0, "2026-11-23T10:00:00.123Z".parse().unwrap());
        Call::begin(arrival, Arc::new(program), now)
    }

    const CHANNEL: &str = "4be9781d-c0f1-4d7a-a521-b795cb3d13f7";

    fn sealed(keys: &Keys, channel: &str) -> String {
        let call = call(channel);
        let holder = InstanceId(uuid::Uuid::from_u128(9));
        let carried = Carried { call: call.kept(), holder, former: &Former::default() };
        keys.seal(call.state().channel(), &carried).unwrap().as_str().to_owned()
    }

    #[test]
    fn a_tie_opens_on_its_own_channel_and_is_no_state() {
        let keys = Keys::ephemeral().unwrap();
        let (own, other): (ChannelId, ChannelId) = ("b-leg".parse().unwrap(), "x".parse().unwrap());
        let tie: Tie = serde_json::from_str(
            r#"{"call": "00000000-0000-0000-0000-000000000007", "main": "main", "versions": {},
            "tenant": "00000000-0000-0000-0000-000000000001", "party": "200", "by": "100"}"#,
        )
        .unwrap();
        let tied = keys.seal_tie(&own, &tie).unwrap();
        assert_eq!(keys.open_tie(&own, tied.as_str()).unwrap(), tie);
        assert!(matches!(keys.open_tie(&other, tied.as_str()), Err(OpenError::Forged)));
        assert!(matches!(keys.open(&own, tied.as_str()), Err(OpenError::Forged)));
        let state = sealed(&keys, "b-leg");
        assert!(matches!(keys.open_tie(&own, &state), Err(OpenError::Forged)));
    }

    #[test]
    fn what_was_sealed_opens_on_its_own_channel_and_is_small() {
        let keys = Keys::ephemeral().unwrap();
        let text = sealed(&keys, CHANNEL);
        assert!(text.len() < 520, "{} bytes", text.len());
        let opened = keys.open(&CHANNEL.parse().unwrap(), &text).unwrap();
        assert_eq!(opened.call.state(), call(CHANNEL).state());
        assert_eq!(opened.holder, InstanceId(uuid::Uuid::from_u128(9)));
        let bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
        assert!(!bytes.windows(3).any(|some| some == b"Ada"));
        assert_ne!(text, sealed(&keys, CHANNEL), "two states never look the same");
    }

    #[test]
    fn a_changed_cut_or_foreign_state_is_refused() {
        let keys = Keys::ephemeral().unwrap();
        let channel = CHANNEL.parse().unwrap();
        let text = sealed(&keys, CHANNEL);
        let open = |text: &str| keys.open(&channel, text).unwrap_err();
        for at in 1..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            // The last character may hold bits that belong to no byte.
            assert!(keys.open(&channel, &changed).is_err(), "byte {at}");
            assert!(keys.open(&channel, &text[..at]).is_err(), "{at} bytes");
        }
        let other = sealed(&keys, "5be9781d-c0f1-4d7a-a521-b795cb3d13f7");
        assert!(matches!(open(&other), OpenError::Forged));
        assert!(matches!(open("${system ls}"), OpenError::Damaged));
        let stranger = sealed(&Keys::ephemeral().unwrap(), CHANNEL);
        assert!(matches!(open(&stranger), OpenError::Key));
        let mut newer = URL_SAFE_NO_PAD.decode(&text).unwrap();
        newer[0] = 3;
        let newer = open(&URL_SAFE_NO_PAD.encode(newer));
        assert!(matches!(newer, OpenError::Format(3)) && newer.is_foreign());
    }

    #[test]
    fn keys_change_without_losing_calls() {
        let (old, new) = (Keys::generate().unwrap(), Keys::generate().unwrap());
        let text = sealed(&Keys::read(&old).unwrap(), CHANNEL);
        let both = Keys::read(&format!("# since Monday\n{new}\n{old}")).unwrap();
        assert!(both.open(&CHANNEL.parse().unwrap(), &text).is_ok());
        let after = sealed(&both, CHANNEL);
        assert!(Keys::read(&new).unwrap().open(&CHANNEL.parse().unwrap(), &after).is_ok());
        assert_eq!(Keys::read("\n# nothing\n").unwrap_err(), KeyError::None);
        assert_eq!(Keys::read(&format!("{new}short\n")).unwrap_err(), KeyError::Wrong(2));
    }
}
