//! Idempotency keys: claimed in the effect's own transaction.

use entity::idempotency;
use entity::ids::AccountId;
use entity::time::UnixMillis;
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, Set, TryInsertResult};

use crate::db::Tx;

/// What became of a key.
pub(super) enum Claim {
    /// It is ours: go on.
    New,
    /// It was used with the same input: this was the result.
    Replay(String),
    /// It was used with another input.
    Reused,
}

/// One use of a key.
pub(super) struct Use<'a> {
    pub(super) account_id: AccountId,
    pub(super) operation: &'static str,
    pub(super) key: &'a str,
    pub(super) input_mac: [u8; 32],
    /// Stored, and given back to whoever comes again.
    pub(super) result: &'a str,
    pub(super) now: UnixMillis,
}

/// Claims a key, or says what it led to. Somebody who comes while the first is still at it waits
/// for its commit (the store's unique key does that) and gets its result.
pub(super) async fn claim(tx: &Tx, used: &Use<'_>) -> Result<Claim, DbErr> {
    let row = idempotency::ActiveModel {
        account_id: Set(used.account_id),
        operation: Set(used.operation.to_owned()),
        key: Set(used.key.to_owned()),
        input_mac: Set(used.input_mac.to_vec()),
        result: Set(used.result.to_owned()),
        created_at_ms: Set(used.now),
    };
    let inserted = idempotency::Entity::insert(row)
        .on_conflict_do_nothing_on([
            idempotency::Column::AccountId,
            idempotency::Column::Operation,
            idempotency::Column::Key,
        ])
        .exec_without_returning(&**tx)
        .await?;
    match inserted {
        TryInsertResult::Inserted(rows) if rows > 0 => Ok(Claim::New),
        _ => {
            let earlier = find(&**tx, used.account_id, used.operation, used.key).await?;
            Ok(earlier.map_or(Claim::Reused, |earlier| compare(earlier, &used.input_mac)))
        }
    }
}

/// Looks a key up before any work is done, so that a replay costs one read.
pub(super) async fn look_up<C: ConnectionTrait>(
    connection: &C,
    account_id: AccountId,
    operation: &'static str,
    key: &str,
    input_mac: &[u8; 32],
) -> Result<Claim, DbErr> {
    let earlier = find(connection, account_id, operation, key).await?;
    Ok(earlier.map_or(Claim::New, |earlier| compare(earlier, input_mac)))
}

async fn find<C: ConnectionTrait>(
    connection: &C,
    account_id: AccountId,
    operation: &str,
    key: &str,
) -> Result<Option<idempotency::Model>, DbErr> {
    let id = (account_id, operation.to_owned(), key.to_owned());
    idempotency::Entity::find_by_id(id).one(connection).await
}

fn compare(earlier: idempotency::Model, input_mac: &[u8; 32]) -> Claim {
    if earlier.input_mac == input_mac { Claim::Replay(earlier.result) } else { Claim::Reused }
}
