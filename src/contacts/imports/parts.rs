//! The files of imports in sealed parts of one size: what one node takes in, another reads.

use entity::contact_import_part::{ActiveModel, Column, Entity, Model};
use entity::enums::ImportPartKind;
use entity::ids::{AccountId, ContactImportId};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    Statement,
};
use zeroize::Zeroizing;

use crate::ctx::{Ctx, Platform};
use crate::db::Tx;
use crate::keys::Purpose;

/// Bytes of a part of an upload, but the last: four a megabyte, and few enough that one writer of
/// many is not kept waiting.
pub(super) const PART_BYTES: usize = 256 * 1024;
/// Parts that one transaction removes.
const REMOVED_MAX: u64 = 20;

/// Which part of which file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PartKey {
    pub(super) account_id: AccountId,
    pub(super) import_id: ContactImportId,
    pub(super) kind: ImportPartKind,
    pub(super) place: i32,
}

impl PartKey {
    /// What a part is sealed for: no other place opens it.
    fn seal_place(self) -> Vec<u8> {
        let mut bytes = b"contact_import_part".to_vec();
        bytes.extend_from_slice(self.account_id.0.as_bytes());
        bytes.extend_from_slice(self.import_id.0.as_bytes());
        bytes.extend_from_slice(&self.kind.code().to_be_bytes());
        bytes.extend_from_slice(&self.place.to_be_bytes());
        bytes
    }

    /// The part's row. Draws randomness: before a transaction.
    pub(super) fn seal(self, platform: &Platform, plain: &[u8]) -> Model {
        let place = self.seal_place();
        let (key, randomness) = (&platform.master_key, &platform.randomness);
        Model {
            account_id: self.account_id,
            import_id: self.import_id,
            kind: self.kind,
            place: self.place,
            body: key.seal(Purpose::ImportPart, &place, plain, randomness),
        }
    }
}

/// Why a part cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadPartError {
    /// The store's own.
    #[error(transparent)]
    Store(#[from] DbErr),
    /// There is none, or it was sealed with another key.
    #[error("a part of an import's file is gone or damaged")]
    Unreadable,
}

/// Keeps a part.
pub(super) async fn put(tx: &Tx, part: Model) -> Result<(), DbErr> {
    Entity::insert(ActiveModel::from(part)).exec_without_returning(&**tx).await?;
    Ok(())
}

/// Reads a part.
pub(super) async fn read(ctx: &Ctx, key: PartKey) -> Result<Zeroizing<Vec<u8>>, ReadPartError> {
    let id = (key.account_id, key.import_id, key.kind, key.place);
    let found = Entity::find_by_id(id).one(ctx.db.reader()).await?;
    let found = found.ok_or(ReadPartError::Unreadable)?;
    let opened = ctx.master_key.open(Purpose::ImportPart, &key.seal_place(), &found.body);
    opened.map_err(|_| ReadPartError::Unreadable)
}

/// Removes all parts of one of an import's files, a few a transaction. Idempotent.
pub(super) async fn remove(
    ctx: &Ctx,
    account_id: AccountId,
    import_id: ContactImportId,
    kind: ImportPartKind,
) -> Result<(), DbErr> {
    loop {
        let removed =
            ctx.db.write(|tx| async move { remove_some(&tx, account_id, import_id, kind).await });
        if removed.await? < REMOVED_MAX {
            return Ok(());
        }
    }
}

async fn remove_some(
    tx: &Tx,
    account_id: AccountId,
    import_id: ContactImportId,
    kind: ImportPartKind,
) -> Result<u64, DbErr> {
    let last: Option<i32> = Entity::find()
        .select_only()
        .column(Column::Place)
        .filter(Column::AccountId.eq(account_id))
        .filter(Column::ImportId.eq(import_id))
        .filter(Column::Kind.eq(kind))
        .order_by_asc(Column::Place)
        .offset(REMOVED_MAX - 1)
        .limit(1)
        .into_tuple()
        .one(&**tx)
        .await?;
    let p = |n| tx.store().placeholder(n);
    let sql = format!(
        "DELETE FROM contact_import_part WHERE account_id = {} AND import_id = {} AND kind = {} \
         AND place <= {}",
        p(1),
        p(2),
        p(3),
        p(4)
    );
    let values = [
        account_id.0.into(),
        import_id.0.into(),
        kind.code().into(),
        last.unwrap_or(i32::MAX).into(),
    ];
    let statement = Statement::from_sql_and_values(tx.store().backend(), sql, values);
    Ok(tx.execute_raw(statement).await?.rows_affected())
}
