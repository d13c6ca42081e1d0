//! What a message would take, before it is sent.

use async_graphql::SimpleObject;

use super::enums::{Encoding, NationalLanguage};
use crate::graphql::money::Money;
use crate::graphql::packages::PackageUse;
use crate::graphql::scalars::{DateTime, PhoneNumber};
use crate::messages::Estimate;
use crate::types::money::Currency;

/// What a message would take.
#[derive(SimpleObject)]
pub struct MessageEstimate {
    /// The recipient as it would be stored.
    to: PhoneNumber,
    /// How its text would be encoded on the air.
    encoding: Encoding,
    /// The language whose shift tables it would be written with: where the recipient's route
    /// allows them, and a text beyond the default alphabet makes fewer parts by them than by
    /// `UCS2`. Null otherwise.
    national_language: Option<NationalLanguage>,
    /// Into how many parts it would be cut, 1 to 10.
    parts: i32,
    /// What it would cost, all parts; nothing under a test key, and where a package would pay.
    price: Money,
    /// What of a package would pay for it; null if money would.
    package_use: Option<PackageUse>,
    /// The characters that are not in the default GSM alphabet and so force `UCS2`, each once, at
    /// most 20; none with `GSM7`.
    offending_characters: Vec<String>,
    /// When quiet hours would let it go, which keep marketing waiting until its recipient's window
    /// opens; null if they do not keep it.
    release_at: Option<DateTime>,
}

impl MessageEstimate {
    pub(super) fn new(estimate: Estimate, currency: Currency) -> Self {
        Self {
            release_at: estimate.release_at.map(Into::into),
            to: PhoneNumber(estimate.to),
            encoding: estimate.encoding.into(),
            national_language: estimate.national_language.map(Into::into),
            parts: estimate.parts.into(),
            price: Money::new(estimate.price, currency),
            package_use: estimate.cover.map(|cover| PackageUse::of_cover(cover, currency)),
            offending_characters: estimate
                .offending_characters
                .into_iter()
                .map(String::from)
                .collect(),
        }
    }
}
