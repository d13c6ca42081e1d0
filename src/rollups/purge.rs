//! Forgets what is kept long enough: minutes, then quarters and hours. Days stay.

use entity::ids::AccountId;
use sea_orm::{DbErr, EntityTrait, QuerySelect};

use super::model::Resolution;
use super::store;
use crate::ctx::Ctx;

/// Rows of one transaction.
const BATCH_MAX: u64 = 1_000;

/// Removes the roll-ups of each account that are past their time. Returns how many rows.
///
/// # Errors
/// The store's own; what was committed before stays.
pub async fn purge(ctx: &Ctx) -> Result<u64, DbErr> {
    let accounts: Vec<AccountId> = entity::rollup_cursor::Entity::find()
        .select_only()
        .column(entity::rollup_cursor::Column::AccountId)
        .into_tuple()
        .all(ctx.db.reader())
        .await?;
    let mut purged = 0;
    for account_id in accounts {
        for resolution in Resolution::ALL {
            let now = ctx.clock.now();
            let Some(before_s) = resolution.written_from(&ctx.settings.metrics, now) else {
                continue;
            };
            loop {
                let removed = ctx
                    .db
                    .write(|tx| async move {
                        store::remove_before(&tx, account_id, *resolution, before_s, BATCH_MAX)
                            .await
                    })
                    .await?;
                purged += removed;
                if removed < BATCH_MAX {
                    break;
                }
            }
        }
    }
    Ok(purged)
}
