//! Removing what imports leave: files of those that have ended, and later what was wrong with their
//! rows; and ending those whose files never came.

use entity::contact_import::{Column, Entity, Model};
use entity::enums::{ImportPartKind, ImportStatus};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, Condition, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{is_open, parts};
use crate::ctx::Ctx;

/// Imports that one statement finds.
const FOUND_MAX: u64 = 100;
/// As the index has it, with the number of RUNNING: SQLite takes a partial index only for a query
/// that repeats its condition.
const ENDED_WITH_PARTS: &str = "holds_parts AND status > 3";

/// Ends imports whose upload link expired, and removes what is due. Idempotent. Returns how many
/// imports changed.
///
/// # Errors
/// The store's own; what was committed before stays.
pub async fn purge(ctx: &Ctx) -> Result<u64, DbErr> {
    let mut changed = 0;
    loop {
        let expired = Entity::find()
            .filter(Column::Status.is_in([ImportStatus::AwaitingUpload, ImportStatus::Uploading]))
            .filter(is_open())
            .filter(Column::UploadExpiresAtMs.lte(ctx.clock.now()))
            .order_by_asc(Column::CreatedAtMs)
            .limit(FOUND_MAX)
            .all(ctx.db.reader())
            .await?;
        for import in &expired {
            changed += expire(ctx, import).await?;
        }
        if (expired.len() as u64) < FOUND_MAX {
            break;
        }
    }
    let mut after = None;
    loop {
        let errors_until =
            ctx.clock.now().plus_ms(-ctx.settings.contacts.import_errors_ttl_s * 1_000);
        let has_file = "EXISTS (SELECT 1 FROM contact_import_part p \
            WHERE p.account_id = contact_import.account_id AND p.import_id = contact_import.id \
            AND p.kind = 0)";
        let is_due = Condition::any()
            .add(Column::ErrorPartCount.eq(0))
            .add(Column::FinishedAtMs.lte(errors_until))
            .add(Expr::cust(has_file));
        let mut held = Entity::find().filter(Expr::cust(ENDED_WITH_PARTS)).filter(is_due);
        if let Some(after) = after {
            held = held.filter(Column::Id.gt(after));
        }
        let held = held.order_by_asc(Column::Id).limit(FOUND_MAX).all(ctx.db.reader()).await?;
        for import in &held {
            changed += remove(ctx, import).await?;
        }
        match held.last() {
            Some(last) if held.len() as u64 == FOUND_MAX => after = Some(last.id),
            _ => return Ok(changed),
        }
    }
}

async fn expire(ctx: &Ctx, import: &Model) -> Result<u64, DbErr> {
    let now = ctx.clock.now();
    ctx.db
        .write(|tx| async move {
            let id = (import.account_id, import.id);
            let row = Entity::find_by_id(id).lock_exclusive().one(&*tx).await?;
            let waits = |row: &Model| {
                matches!(row.status, ImportStatus::AwaitingUpload | ImportStatus::Uploading)
            };
            let Some(row) = row.filter(waits) else { return Ok(0) };
            super::save(&tx, super::ended(row, ImportStatus::Expired, now)).await?;
            Ok(1)
        })
        .await
}

/// Removes the file of an import that has ended, and what is wrong with its rows once nobody can
/// download it any more.
async fn remove(ctx: &Ctx, import: &Model) -> Result<u64, DbErr> {
    let (account_id, id) = (import.account_id, import.id);
    parts::remove(ctx, account_id, id, ImportPartKind::Upload).await?;
    let kept_ms = ctx.settings.contacts.import_errors_ttl_s * 1_000;
    let ended_at = import.finished_at_ms.unwrap_or(import.updated_at_ms);
    if import.error_part_count > 0 && ctx.clock.now().since(ended_at) < kept_ms {
        return Ok(0);
    }
    parts::remove(ctx, account_id, id, ImportPartKind::Errors).await?;
    ctx.db
        .write(|tx| async move {
            let updated = Entity::update_many()
                .col_expr(Column::HoldsParts, Expr::value(false))
                .col_expr(Column::Version, Expr::col(Column::Version).add(1))
                .filter(Column::AccountId.eq(account_id))
                .filter(Column::Id.eq(id))
                .exec(&*tx)
                .await?;
            Ok(updated.rows_affected)
        })
        .await
}
