//! After a crash: messages that an earlier holder of the lease claimed and never settled. They may
//! have left, so each is taken as an uncertain submission, not as queued.

use entity::message;
use sea_orm::DbErr;

use super::settle::{Group, Settler};
use super::verdict::{Circumstances, InFlightMessage, verdict};
use crate::carriers::PartOutcome;
use crate::carriers::registry::Conventions;
use crate::ctx::Platform;
use crate::messages::store;

/// Settles everything that was claimed under a lower token than the settler's. Returns how many
/// messages.
pub(super) async fn left_behind(settler: Settler<'_>) -> Result<usize, DbErr> {
    let Settler { platform, carrier_id, token, conventions, .. } = settler;
    let mut settled = 0;
    loop {
        let found =
            store::claimed(platform.db.migrator(), carrier_id, "claim_token < $2", token).await?;
        if found.is_empty() {
            return Ok(settled);
        }
        settled += found.len();
        // All of one transaction must be of one token: it is part of the compare-and-set.
        let old_token = found[0].claim_token.unwrap_or_default();
        let same = found.iter().filter(|message| message.claim_token == Some(old_token));
        let group = Group {
            results: same.map(|message| uncertain(platform, conventions, message)).collect(),
            ..Group::default()
        };
        Settler { token: old_token, ..settler }.settle(&group, false).await?;
    }
}

fn uncertain(
    platform: &Platform,
    conventions: &Conventions,
    message: &message::Model,
) -> (InFlightMessage, super::verdict::Verdict) {
    let in_flight = InFlightMessage::of(message);
    let outcomes = vec![PartOutcome::Uncertain; usize::try_from(message.parts).unwrap_or(1)];
    let verdict = verdict(&in_flight, &outcomes, &conventions.errors, Circumstances::of(platform));
    (in_flight, verdict)
}
