//! The operator's own account, and the link that its first owner comes in by.

use entity::account;
use entity::enums::AccountKind;

use super::accounts::{new_account, new_link};
use crate::ctx::Ctx;
use crate::db::TransactionError;
use crate::error::Failed;
use crate::identity::model::{DisplayName, OneTimeLink};
use crate::identity::store;

/// The operator's account until it is renamed.
const NAME: &str = "Operator";

/// Makes the operator's account if there is none, and gives a link to its first owner as long as
/// it has no owner: a new one at each start, since the one before was shown once and is not known
/// any more (it stops working). Called when the program starts, never for a request.
///
/// # Errors
/// The store's own.
pub async fn ensure_operator(ctx: &Ctx) -> Result<Option<OneTimeLink>, Failed> {
    let operator = match store::accounts::operator(ctx.db.reader()).await? {
        Some(operator) => operator,
        None => make_operator(ctx).await?,
    };
    if store::accounts::has_owner(ctx.db.reader(), operator.id).await? {
        return Ok(None);
    }
    let (row, link) = new_link(ctx, operator.id, None);
    let new = &row;
    let replace = |tx| async move {
        store::links::delete_unused(&tx, new.account_id).await?;
        store::links::insert(&tx, new).await
    };
    ctx.db.write(replace).await?;
    Ok(Some(link))
}

async fn make_operator(ctx: &Ctx) -> Result<account::Model, Failed> {
    let name = DisplayName::parse(NAME).expect("a short text on one line is a name");
    let row = new_account(ctx, AccountKind::Operator, name, None);
    let new = &row;
    let made: Result<(), Failed> = ctx
        .db
        .write(|tx| async move { Ok(store::accounts::insert_account(&tx, new).await?) })
        .await;
    match made {
        Ok(()) => Ok(row),
        // Another node was first.
        Err(error) if error.store_error().is_some_and(store::accounts::is_second_operator) => {
            let found = store::accounts::operator(ctx.db.reader()).await?;
            found.ok_or_else(|| Failed::internal("an operator is in the way and not to be found"))
        }
        Err(error) => Err(error),
    }
}
