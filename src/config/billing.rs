//! Settings of charging, payments and e-mail.

use serde::{Deserialize, Serialize};

use super::Settings;
use crate::types::money::Currency;
use crate::types::price::{InvalidPrice, PartPrice};

/// Charging.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Billing {
    /// Whether messages are charged for.
    pub charging: bool,
    /// What accounts are charged in, unless they were given another currency.
    pub currency: Currency,
    /// Of a part, in `currency`, where no rate card says so; empty: such messages are refused.
    pub default_part_price: String,
    /// Days until an invoice is due.
    pub invoice_net_days: u16,
    /// Days after an invoice was due on which its account is reminded of it.
    pub reminder_days: Vec<u16>,
    /// Days after an invoice was due until its account may not send; 0: never.
    pub suspend_after_days: u16,
}

impl Billing {
    /// What a part costs where no rate card says so.
    pub fn default_price(&self) -> Option<PartPrice> {
        self.default_part_price.parse().ok()
    }

    pub(super) fn check_default_price(&self) -> Result<(), InvalidPrice> {
        match self.default_part_price.as_str() {
            "" => Ok(()),
            text => text.parse::<PartPrice>().map(drop),
        }
    }
}

/// Payments through processors.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Payments {
    /// Where payers come back to; empty: the public address.
    pub return_url: String,
    /// Automatic top-ups of one account in a day, at most.
    pub automatic_top_ups_per_day: u16,
}

impl Payments {
    /// Where payers come back to from a processor's page.
    pub fn return_url(&self, settings: &Settings) -> String {
        if self.return_url.is_empty() { settings.public_url() } else { self.return_url.clone() }
    }
}

/// E-mail.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// The server; empty: nothing is sent.
    pub smtp_url: String,
    /// Whom it comes from.
    pub from: String,
}

impl std::fmt::Debug for Mail {
    /// Hides the URL, which may hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mail").field("from", &self.from).finish_non_exhaustive()
    }
}
