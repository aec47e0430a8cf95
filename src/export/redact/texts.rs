//! One text made of another, always the same of the same by one key.

use super::key::{DigestUse, RedactionKey};
use super::pseudonyms::{FAMILY, GIVEN};
use super::rule::{Domain, TextRule};
use crate::hex;

/// Hex digits of an address: 80 bits, so that of ten million addresses two are the same once in ten billion times.
const OF_ADDRESS: usize = 20;

/// A text rule with the key, and whether texts are the same that differ in case alone.
#[derive(Debug, Clone)]
pub(super) struct Texts {
    pub(super) rule: TextRule,
    pub(super) key: RedactionKey,
    /// The texts are of type citext.
    pub(super) folds: bool,
}

impl Texts {
    /// What stands in place of a text. An empty one stays, since it says nothing.
    pub(super) fn of(&self, text: &str) -> String {
        if text.is_empty() {
            return String::new();
        }
        match &self.rule {
            TextRule::Hash { prefix, characters } => {
                let folded = self.folds.then(|| text.to_lowercase());
                let text = folded.as_deref().unwrap_or(text);
                let digits = hex::encode(&self.key.digest(DigestUse::Hash, text.as_bytes()));
                // The digits are ASCII, and as many as the longest hash has.
                format!("{prefix}{}", digits.get(..*characters).unwrap_or(&digits))
            }
            TextRule::Email(domain) => self.address(text, domain),
            TextRule::Name => self.name(text),
        }
    }

    /// Addresses are compared without case, so the same person has the same one.
    fn address(&self, text: &str, domain: &Domain) -> String {
        let folded = text.to_lowercase();
        let digits = hex::encode(&self.key.digest(DigestUse::Email, folded.as_bytes()));
        let digits = digits.get(..OF_ADDRESS).unwrap_or(&digits);
        let domain = match domain {
            Domain::Of(domain) => domain,
            Domain::Kept => match folded.rsplit_once('@') {
                Some((_, domain)) if is_domain(domain) => domain,
                Some(_) | None => INVALID,
            },
        };
        format!("user-{digits}@{domain}")
    }

    fn name(&self, text: &str) -> String {
        let [first, second, third, fourth, ..] = self.key.digest(DigestUse::Name, text.as_bytes());
        let pick = |names: &[&'static str], high: u8, low: u8| {
            let number = usize::from(u16::from_be_bytes([high, low]));
            names
                .get(number % names.len().max(1))
                .copied()
                .unwrap_or_default()
        };
        format!(
            "{} {}",
            pick(&GIVEN, first, second),
            pick(&FAMILY, third, fourth)
        )
    }
}

/// A domain that leads nowhere (RFC 2606).
pub(super) const INVALID: &str = "example.invalid";

/// True for what may stand behind the `@` of an address: labels of letters, digits and hyphens, with dots between.
pub(super) fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        let mut letters = label.chars();
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && letters.all(|letter| letter.is_alphanumeric() || letter == '-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}
