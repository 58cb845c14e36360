//! Keys, one in another: each recording has a data key of its own, wrapped by a key of its tenant,
//! which is wrapped by the operator's. Whoever rotates a key wraps again what it wrapped; no sound
//! is touched. Without a tenant's key its recordings are noise. A tenant's key seals its passwords
//! too.
//!
//! A wrapped key is AES-256-GCM in base64, bound to what it is for. The key that wraps tenants'
//! keys is derived from the operator's by HKDF (RFC 5869), whose file may be used for other things
//! too.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{SHA256, digest};
use ring::hkdf::{HKDF_SHA256, Prk, Salt};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use super::hex;
use crate::base::ids::{RecordingId, TenantId};
use crate::base::masked::Masked;

/// Bytes of every key.
const KEY_BYTES: usize = 32;
/// Bytes of a key's digest that name it.
const NAME_BYTES: usize = 8;
/// The operator's keys at most.
const KEYS_MAX: usize = 8;

/// Why a key can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("there is no operator's key")]
    None,
    #[error("there are more than {KEYS_MAX} operator's keys")]
    TooMany,
    #[error("line {0} is not a key: expected {KEY_BYTES} bytes in base64")]
    Line(usize),
    #[error("the operator's key `{0}`, under which this was wrapped, is not there")]
    Unknown(String),
    #[error("the wrapped key was changed, or is another's")]
    Forged,
    #[error("the system has no random numbers, or can't encrypt")]
    Cipher,
}

type Secret = Masked<[u8; KEY_BYTES]>;

fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| KeyError::Cipher)?;
    Ok(bytes)
}

/// The key of one recording's sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataKey(Secret);

impl DataKey {
    /// # Errors
    /// The system has no random numbers.
    pub fn generate() -> Result<Self, KeyError> {
        Ok(Self(Masked::new(random()?)))
    }

    pub(super) const fn reveal(&self) -> &[u8; KEY_BYTES] {
        self.0.reveal()
    }
}

/// A key of a tenant, under which data keys are wrapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantKey {
    tenant: TenantId,
    /// 1, 2, 3 …: the last is in use.
    pub number: u32,
    secret: Secret,
}

impl TenantKey {
    /// # Errors
    /// The system has no random numbers.
    pub fn generate(tenant: TenantId, number: u32) -> Result<Self, KeyError> {
        Ok(Self { tenant, number, secret: Masked::new(random()?) })
    }

    /// Wraps the key of one of the tenant's recordings.
    ///
    /// # Errors
    /// The cipher fails.
    pub fn wrap(&self, recording: RecordingId, key: &DataKey) -> Result<String, KeyError> {
        wrap(cipher(self.secret.reveal())?, &self.about(recording), key.reveal())
    }

    /// # Errors
    /// It is not what was wrapped with this key for this recording.
    pub fn unwrap(&self, recording: RecordingId, wrapped: &str) -> Result<DataKey, KeyError> {
        let secret = unwrap(&cipher(self.secret.reveal())?, &self.about(recording), wrapped)?;
        Ok(DataKey(Masked::new(secret)))
    }

    fn about(&self, recording: RecordingId) -> String {
        format!("data key {} {} {recording}", self.tenant, self.number)
    }

    /// Seals a secret of the tenant's; it is opened only as what it was sealed for.
    ///
    /// # Errors
    /// The cipher fails.
    pub fn seal(&self, what: &str, secret: &str) -> Result<String, KeyError> {
        wrap(cipher(self.secret.reveal())?, &self.secret_of(what), secret.as_bytes())
    }

    /// # Errors
    /// It is not what was sealed with this key for this.
    pub fn open(&self, what: &str, sealed: &str) -> Result<Zeroizing<String>, KeyError> {
        let bytes = opened(&cipher(self.secret.reveal())?, &self.secret_of(what), sealed)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| KeyError::Forged)?;
        Ok(Zeroizing::new(text.to_owned()))
    }

    fn secret_of(&self, what: &str) -> String {
        format!("secret {} {} {what}", self.tenant, self.number)
    }
}

struct OperatorKey {
    name: String,
    cipher: Prk,
}

/// The operator's keys: the first wraps, all unwrap.
pub struct OperatorKeys(Vec<OperatorKey>);

impl fmt::Debug for OperatorKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OperatorKeys({})", self.0.len())
    }
}

impl OperatorKeys {
    /// Reads keys: one on each line in base64, the one in use first; `#` begins a remark.
    ///
    /// # Errors
    /// Names the line, never the key.
    pub fn read(text: &str) -> Result<Self, KeyError> {
        let lines = text.lines().map(str::trim).enumerate();
        let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let keys = lines.map(|(at, line)| OperatorKey::read(line).ok_or(KeyError::Line(at + 1)));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        match keys.len() {
            0 => Err(KeyError::None),
            1..=KEYS_MAX => Ok(Self(keys)),
            _ => Err(KeyError::TooMany),
        }
    }

    /// The name of the key in use.
    pub fn name(&self) -> &str {
        self.0.first().map_or("", |key| &key.name)
    }

    /// Signs something with the key in use (HMAC-SHA-256 in base64). What was signed for one
    /// purpose does not count for another.
    ///
    /// # Errors
    /// There is no key.
    pub fn sign(&self, purpose: &str, bytes: &[u8]) -> Result<String, KeyError> {
        let own = self.0.first().ok_or(KeyError::None)?;
        Ok(URL_SAFE_NO_PAD.encode(hmac::sign(&own.signing(purpose)?, bytes)))
    }

    /// Whether one of the keys signed this for this purpose.
    pub fn verify(&self, purpose: &str, bytes: &[u8], signature: &str) -> bool {
        let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else { return false };
        self.0.iter().filter_map(|key| key.signing(purpose).ok()).any(|key| {
            // In the same time, however much of it is right.
            hmac::verify(&key, bytes, &signature).is_ok()
        })
    }

    /// Wraps a tenant's key with the key in use.
    ///
    /// # Errors
    /// The cipher fails.
    pub fn wrap(&self, key: &TenantKey) -> Result<String, KeyError> {
        let own = self.0.first().ok_or(KeyError::None)?;
        wrap(own.cipher()?, &about(key.tenant, key.number), key.secret.reveal())
    }

    /// Unwraps a tenant's key with the key of this name.
    ///
    /// # Errors
    /// There is no such key, or it did not wrap this.
    pub fn unwrap(
        &self,
        tenant: TenantId,
        number: u32,
        name: &str,
        wrapped: &str,
    ) -> Result<TenantKey, KeyError> {
        let own = self.0.iter().find(|key| key.name == name);
        let own = own.ok_or_else(|| KeyError::Unknown(name.to_owned()))?;
        let secret = unwrap(&own.cipher()?, &about(tenant, number), wrapped)?;
        Ok(TenantKey { tenant, number, secret: Masked::new(secret) })
    }
}

fn about(tenant: TenantId, number: u32) -> String {
    format!("tenant key {tenant} {number}")
}

impl OperatorKey {
    fn read(line: &str) -> Option<Self> {
        let secret: [u8; KEY_BYTES] = STANDARD.decode(line).ok()?.try_into().ok()?;
        let digest = digest(&SHA256, &secret);
        let name = hex(digest.as_ref().get(..NAME_BYTES)?);
        Some(Self { name, cipher: Salt::new(HKDF_SHA256, b"callwright").extract(&secret) })
    }

    fn signing(&self, purpose: &str) -> Result<hmac::Key, KeyError> {
        let about = [b"callwright signs", purpose.as_bytes()];
        let key = self.cipher.expand(&about, hmac::HMAC_SHA256);
        Ok(key.map_err(|_| KeyError::Cipher)?.into())
    }

    fn cipher(&self) -> Result<LessSafeKey, KeyError> {
        let key = self.cipher.expand(&[b"callwright tenant keys"], &AES_256_GCM);
        Ok(LessSafeKey::new(key.map_err(|_| KeyError::Cipher)?.into()))
    }
}

fn cipher(secret: &[u8; KEY_BYTES]) -> Result<LessSafeKey, KeyError> {
    let key = UnboundKey::new(&AES_256_GCM, secret).map_err(|_| KeyError::Cipher)?;
    Ok(LessSafeKey::new(key))
}

#[allow(clippy::needless_pass_by_value, reason = "made for this one use")]
fn wrap(cipher: LessSafeKey, about: &str, secret: &[u8]) -> Result<String, KeyError> {
    let nonce: [u8; NONCE_LEN] = random()?;
    let mut body = secret.to_vec();
    let once = Nonce::assume_unique_for_key(nonce);
    cipher
        .seal_in_place_append_tag(once, Aad::from(about), &mut body)
        .map_err(|_| KeyError::Cipher)?;
    Ok(STANDARD.encode([&nonce[..], &body].concat()))
}

fn unwrap(cipher: &LessSafeKey, about: &str, wrapped: &str) -> Result<[u8; KEY_BYTES], KeyError> {
    let secret = opened(cipher, about, wrapped)?;
    secret.as_slice().try_into().map_err(|_| KeyError::Forged)
}

fn opened(
    cipher: &LessSafeKey,
    about: &str,
    wrapped: &str,
) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let bytes = STANDARD.decode(wrapped).map_err(|_| KeyError::Forged)?;
    let (nonce, body) = bytes.split_at_checked(NONCE_LEN).ok_or(KeyError::Forged)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| KeyError::Forged)?;
    let mut body = Zeroizing::new(body.to_vec());
    let secret = cipher.open_in_place(nonce, Aad::from(about), &mut body);
    let length = secret.map_err(|_| KeyError::Forged)?.len();
    body.truncate(length);
    Ok(body)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn line() -> String {
        format!("{}\n", STANDARD.encode(random::<KEY_BYTES>().unwrap()))
    }

    #[test]
    fn a_wrapped_key_is_its_recordings_and_tenants_alone() {
        let (acme, other) = (TenantId(Uuid::from_u128(1)), TenantId(Uuid::from_u128(2)));
        let (one, two) = (RecordingId(Uuid::from_u128(3)), RecordingId(Uuid::from_u128(4)));
        let (tenant, key) = (TenantKey::generate(acme, 1).unwrap(), DataKey::generate().unwrap());
        let wrapped = tenant.wrap(one, &key).unwrap();
        assert_eq!(tenant.unwrap(one, &wrapped), Ok(key));
        assert_eq!(tenant.unwrap(two, &wrapped), Err(KeyError::Forged));
        let keys = OperatorKeys::read(&line()).unwrap();
        let kept = keys.wrap(&tenant).unwrap();
        let opened = keys.unwrap(acme, 1, keys.name(), &kept);
        assert_eq!(opened.as_ref(), Ok(&tenant));
        let next = TenantKey { number: 2, ..tenant };
        assert_eq!(next.unwrap(one, &wrapped), Err(KeyError::Forged));
        assert_eq!(keys.unwrap(other, 1, keys.name(), &kept), Err(KeyError::Forged));
        assert_eq!(keys.unwrap(acme, 2, keys.name(), &kept), Err(KeyError::Forged));
    }

    #[test]
    fn a_sealed_secret_is_its_tenants_and_for_what_it_was_sealed() {
        let acme = TenantId(Uuid::from_u128(1));
        let key = TenantKey::generate(acme, 1).unwrap();
        let secret = "p\u{e4}ss \"<&$:'";
        let sealed = key.seal("gateway 7", secret).unwrap();
        let bytes = STANDARD.decode(&sealed).unwrap();
        assert!(!bytes.windows(5).any(|some| secret.as_bytes().starts_with(some)), "{sealed}");
        assert_eq!(key.open("gateway 7", &sealed).unwrap().as_str(), secret);
        assert_ne!(key.seal("gateway 7", secret).unwrap(), sealed);
        for (key, what) in [
            (&key, "gateway 8"),
            (&TenantKey { number: 2, ..key.clone() }, "gateway 7"),
            (&TenantKey { tenant: TenantId(Uuid::from_u128(2)), ..key.clone() }, "gateway 7"),
        ] {
            assert_eq!(key.open(what, &sealed), Err(KeyError::Forged));
        }
    }

    #[test]
    fn an_earlier_operators_key_unwraps_as_long_as_it_is_there() {
        let (old, new) = (line(), line());
        let tenant = TenantKey::generate(TenantId(Uuid::from_u128(1)), 1).unwrap();
        let before = OperatorKeys::read(&old).unwrap();
        let wrapped = before.wrap(&tenant).unwrap();
        let both = OperatorKeys::read(&format!("# in use\n{new}\n{old}")).unwrap();
        assert_ne!(both.name(), before.name());
        let opened = both.unwrap(tenant.tenant, 1, before.name(), &wrapped);
        assert_eq!(opened.as_ref(), Ok(&tenant));
        let after = OperatorKeys::read(&new).unwrap();
        let error = after.unwrap(tenant.tenant, 1, before.name(), &wrapped).unwrap_err();
        assert_eq!(error, KeyError::Unknown(before.name().to_owned()));
    }

    #[test]
    fn what_was_signed_counts_for_its_purpose_and_as_long_as_the_key_is_there() {
        let (old, new) = (line(), line());
        let signed = OperatorKeys::read(&old).unwrap().sign("a", b"text").unwrap();
        let both = OperatorKeys::read(&format!("{new}{old}")).unwrap();
        assert!(both.verify("a", b"text", &signed));
        assert!(!both.verify("b", b"text", &signed), "another purpose");
        assert!(!both.verify("a", b"texts", &signed), "something else");
        assert!(!both.verify("a", b"text", "no base64!"));
        assert!(!OperatorKeys::read(&new).unwrap().verify("a", b"text", &signed));
    }

    #[test]
    fn a_wrong_line_is_named_and_no_key_is_shown() {
        assert_eq!(OperatorKeys::read("# x\nabc\n").unwrap_err(), KeyError::Line(2));
        assert_eq!(OperatorKeys::read("\n").unwrap_err(), KeyError::None);
        let text = line();
        let shown = format!("{:?}", OperatorKeys::read(&text).unwrap());
        assert!(!shown.contains(text.trim()), "{shown}");
        assert!(!format!("{:?}", DataKey::generate().unwrap()).contains('['));
    }
}
