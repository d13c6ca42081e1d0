//! In which time zones contacts live, where their accounts keep that.

use std::collections::{BTreeSet, HashMap};

use entity::contact_attribute::{Column, Entity};
use entity::enums::AttributeKind;
use entity::ids::AccountId;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryResult, QuerySelect,
};

use super::TIME_ZONE_KEY;
use crate::db::{Bulk, BulkColumn, BulkType, Db};

const COLUMNS: &[BulkColumn] =
    &[BulkColumn::new("account_id", BulkType::Uuid), BulkColumn::new("number", BulkType::Text)];

/// The time zones of contacts by account and number in E.164, as their accounts wrote them; those
/// of whom none is known are missing. One small statement, and a second one only where an account
/// keeps time zones. Asks for no right: it is part of what the caller was authorized for.
///
/// # Errors
/// The store's own.
pub async fn time_zones(
    db: &Db,
    numbers: BTreeSet<(AccountId, String)>,
) -> Result<HashMap<(AccountId, String), String>, DbErr> {
    let accounts: BTreeSet<AccountId> = numbers.iter().map(|(id, _)| *id).collect();
    let keeping = keeping(db.reader(), accounts).await?;
    let mut rows = Bulk::new(COLUMNS);
    for (account_id, number) in numbers.into_iter().filter(|(id, _)| keeping.contains(id)) {
        rows.push([account_id.0.into(), number.into()]);
    }
    let found = rows
        .read(
            db,
            "SELECT c.account_id, c.number, v.text_value FROM rows \
             CROSS JOIN contact c CROSS JOIN contact_attribute a CROSS JOIN contact_value v \
             WHERE c.account_id = rows.account_id AND c.number = rows.number \
             AND a.account_id = c.account_id AND a.key = {1} AND a.deleted_at_ms IS NULL \
             AND v.account_id = c.account_id AND v.contact_id = c.id AND v.attribute_id = a.id \
             AND v.text_value IS NOT NULL",
            vec![TIME_ZONE_KEY.into()],
        )
        .await?;
    let zone = |row: &QueryResult| {
        let key = (row.try_get("", "account_id")?, row.try_get("", "number")?);
        Ok((key, row.try_get("", "text_value")?))
    };
    found.iter().map(zone).collect()
}

/// Those of some accounts that keep time zones.
async fn keeping<C: ConnectionTrait>(
    connection: &C,
    accounts: BTreeSet<AccountId>,
) -> Result<BTreeSet<AccountId>, DbErr> {
    let found: Vec<AccountId> = Entity::find()
        .select_only()
        .column(Column::AccountId)
        .filter(Column::AccountId.is_in(accounts))
        .filter(Column::Key.eq(TIME_ZONE_KEY))
        .filter(Column::Kind.eq(AttributeKind::Text))
        .filter(Column::DeletedAtMs.is_null())
        .into_tuple()
        .all(connection)
        .await?;
    Ok(found.into_iter().collect())
}
