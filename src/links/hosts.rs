//! Whose a host is that a link was followed at: remembered for some seconds, so that a host that is
//! verified, deleted or taken over is so on every node soon after.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use entity::enums::LinkDomainStatus;
use entity::ids::AccountId;
use entity::link_domain::{Column, Entity};
use entity::time::UnixMillis;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter};

use crate::ctx::Ctx;
use crate::types::host::HOST_CHARS_MAX;

/// For how long what was read of a host is believed, in ms.
pub const HOST_AGE_MAX_MS: i64 = 5_000;
/// How long a look into the store may keep somebody who follows a link.
const READ_TIME_MAX: Duration = Duration::from_secs(1);
/// Hosts that are remembered, those that are nobody's among them: 2 MB.
const KNOWN_MAX: usize = 10_000;

/// What was read of a host.
#[derive(Clone, Copy, Debug)]
struct Seen {
    account_id: Option<AccountId>,
    at: UnixMillis,
}

/// Whose the hosts are.
pub(super) struct Hosts {
    own: [String; 2],
    known: Mutex<HashMap<String, Seen>>,
}

impl Hosts {
    /// Nothing is remembered. `own` are the installation's, which no account has.
    pub(super) fn new(own: [String; 2]) -> Self {
        Self { own, known: Mutex::default() }
    }

    /// The account that has verified a host. While the store does not answer, what was read of the
    /// host last.
    pub(super) async fn account_of(
        &self,
        ctx: &Ctx,
        host: &str,
    ) -> Result<Option<AccountId>, DbErr> {
        if host.len() > HOST_CHARS_MAX || self.own.iter().any(|own| own == host) {
            return Ok(None);
        }
        let now = ctx.clock.now();
        let seen = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(host).copied();
        if let Some(seen) = seen.filter(|seen| (0..HOST_AGE_MAX_MS).contains(&now.since(seen.at))) {
            return Ok(seen.account_id);
        }
        let account_id = match (tokio::time::timeout(READ_TIME_MAX, read(ctx, host)).await, seen) {
            (Ok(Ok(account_id)), _) => account_id,
            // Believed again for as long, so that not each who follows a link waits for the store.
            (_, Some(seen)) => seen.account_id,
            (Ok(Err(error)), None) => return Err(error),
            (Err(_), None) => {
                return Err(DbErr::Custom("the store did not answer in time".to_owned()));
            }
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(host.to_owned(), Seen { account_id, at: now });
        Ok(account_id)
    }
}

async fn read(ctx: &Ctx, host: &str) -> Result<Option<AccountId>, DbErr> {
    let found = Entity::find()
        .filter(Column::Host.eq(host))
        .filter(Column::Status.eq(LinkDomainStatus::Verified))
        .one(ctx.db.reader())
        .await?;
    Ok(found.map(|domain| domain.account_id))
}
