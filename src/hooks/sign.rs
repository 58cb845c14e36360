//! Signatures as Standard Webhooks has them: HMAC-SHA-256 over `id.timestamp.body`, once with each
//! secret that counts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

/// What a secret begins with, so that it is known for one.
const PREFIX: &str = "whsec_";
/// Standard Webhooks: 24 to 64.
const SECRET_BYTES: usize = 32;

/// Why there is no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    #[error("the system gives no random numbers")]
    Random,
    #[error("a secret is not of the form that we give to them")]
    Form,
}

/// A new secret, as its receiver gets it.
pub(super) fn secret() -> Result<Zeroizing<String>, SignError> {
    let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
    SystemRandom::new().fill(&mut *bytes).map_err(|_| SignError::Random)?;
    let encoded = Zeroizing::new(STANDARD.encode(*bytes));
    Ok(Zeroizing::new(format!("{PREFIX}{}", *encoded)))
}

/// Signs with the secrets that count at a moment.
#[derive(Clone)]
pub(super) struct Signer(Vec<(hmac::Key, Option<Timestamp>)>);

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({})", self.0.len())
    }
}

impl Signer {
    /// Secrets, and until when each counts; the newest first.
    pub(super) fn new<'a>(
        secrets: impl IntoIterator<Item = (&'a str, Option<Timestamp>)>,
    ) -> Result<Self, SignError> {
        let keys = secrets.into_iter().map(|(secret, until)| {
            let encoded = secret.strip_prefix(PREFIX).ok_or(SignError::Form)?;
            let bytes = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| SignError::Form)?);
            Ok((hmac::Key::new(hmac::HMAC_SHA256, &bytes), until))
        });
        keys.collect::<Result<_, _>>().map(Self)
    }

    /// The header `webhook-signature`.
    pub(super) fn sign(&self, id: &str, at: Timestamp, body: &str) -> String {
        let signed = format!("{id}.{}.{body}", at.as_second());
        let counts = |until: &Option<Timestamp>| until.is_none_or(|until| at < until);
        let keys = self.0.iter().filter(|(_, until)| counts(until));
        let signatures = keys.map(|(key, _)| {
            let signature = hmac::sign(key, signed.as_bytes());
            format!("v1,{}", STANDARD.encode(signature))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the test vectors of the reference implementations.
    #[test]
    fn a_signature_is_that_of_the_reference() {
        let signer = Signer::new([("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", None)]).unwrap();
        let at = Timestamp::from_second(1_614_265_330).unwrap();
        let signature = signer.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, "{\"test\": 2432232314}");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn an_old_secret_signs_beside_the_new_one_until_its_time_is_over() {
        let (new, old) = (secret().unwrap(), secret().unwrap());
        assert_ne!(new, old);
        let until = Timestamp::from_second(1_000).unwrap();
        let both = Signer::new([(new.as_str(), None), (old.as_str(), Some(until))]).unwrap();
        let one = Signer::new([(new.as_str(), None)]).unwrap();
        let at = |second| Timestamp::from_second(second).unwrap();
        let before = both.sign("a", at(999), "{}");
        assert_eq!(before.split(' ').count(), 2);
        assert!(before.starts_with(&one.sign("a", at(999), "{}")));
        assert_eq!(both.sign("a", at(1_000), "{}"), one.sign("a", at(1_000), "{}"));
        assert_eq!(Signer::new([("secret", None)]).unwrap_err(), SignError::Form);
    }
}
