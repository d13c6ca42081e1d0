//! To whom an account's invoices are made out: its legal name, address, tax ids and e-mail.

use entity::enums::AccountKind;
use entity::ids::AccountId;
use entity::{account, billing_profile, billing_tax_id};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel,
    QueryFilter, QueryOrder,
};
use serde::{Deserialize, Serialize};

use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Failed};
use crate::types::phone::Region;

/// Characters of a name or a line of an address: what a line of a page holds twice over.
pub const PROFILE_LINE_CHARS_MAX: usize = 200;
/// Characters of an e-mail address (RFC 5321, 4.5.3.1.3, less the angle brackets).
const EMAIL_CHARS_MAX: usize = 254;
/// Tax ids of an account: its own, and those of a few countries where it is registered.
pub const TAX_IDS_MAX: usize = 5;
/// Characters of a tax id's kind.
const TAX_ID_KIND_CHARS_MAX: usize = 20;
/// Characters of a tax id: the longest known have 20, and they may be written in groups.
const TAX_ID_CHARS_MAX: usize = 40;
/// Characters of a tax id that are the least.
const TAX_ID_CHARS_MIN: usize = 3;

/// A tax id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaxId {
    /// What it is: small letters, digits and underscores, `eu_vat`.
    pub kind: String,
    /// The id, in capitals.
    pub value: String,
}

/// To whom invoices are made out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// As the law knows the account.
    pub legal_name: String,
    /// Street and number.
    pub line1: String,
    /// More of the address.
    pub line2: Option<String>,
    /// City.
    pub city: String,
    /// State or province.
    pub region: Option<String>,
    /// Postal code.
    pub postal_code: Option<String>,
    /// Two letters (ISO 3166-1).
    pub country: String,
    /// Where invoices are sent.
    pub email: String,
    /// Its tax ids.
    pub tax_ids: Vec<TaxId>,
}

/// A profile with its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeptProfile {
    pub(super) profile: Profile,
    row: billing_profile::Model,
}

impl Profile {
    /// As it stands on an invoice, line by line.
    pub fn lines(self) -> Vec<String> {
        let mut lines = vec![self.legal_name, self.line1];
        lines.extend(self.line2);
        let city = [self.postal_code, Some(self.city), self.region];
        lines.push(city.into_iter().flatten().collect::<Vec<_>>().join(" "));
        lines.push(self.country);
        lines.extend(self.tax_ids.into_iter().map(|id| format!("{}: {}", id.kind, id.value)));
        lines
    }
}

/// Why a profile was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileRejection {
    /// The legal name is empty or too long.
    #[error("the legal name has 1 to {PROFILE_LINE_CHARS_MAX} characters on one line")]
    InvalidName,
    /// A line of the address is missing, empty or too long.
    #[error(
        "a line of an address has 1 to {PROFILE_LINE_CHARS_MAX} characters; the first line and the \
         city are needed"
    )]
    InvalidAddress,
    /// There is no such country.
    #[error("the country is given by two letters of ISO 3166-1")]
    UnknownCountry,
    /// It is not an e-mail address.
    #[error("not an e-mail address")]
    InvalidEmail,
    /// A tax id does not have the form of one.
    #[error(
        "a tax id's kind is of small letters, digits and underscores; the id has 3 to 40 letters, \
         digits, blanks, dots, hyphens and slashes, and a digit among them"
    )]
    InvalidTaxId,
    /// There are too many tax ids.
    #[error("an account has at most {TAX_IDS_MAX} tax ids")]
    TooManyTaxIds,
}

/// Sets to whom the invoices of the caller's account are made out, in place of what was set before.
/// Invoices that were finalized keep what was set then. Idempotent.
///
/// # Errors
/// [`ProfileRejection`], or a failure.
pub async fn set_profile(ctx: &Ctx, profile: Profile) -> Result<Profile, Error<ProfileRejection>> {
    let account_id = ctx.actor.require_in_account(Action::ManageBillingProfile)?;
    let profile = &checked(profile).map_err(Error::Rejected)?;
    ctx.db.write(|tx| async move { write(ctx, &tx, account_id, profile).await }).await?;
    Ok(profile.clone())
}

/// To whom the invoices of the caller's account are made out; none if that was never set.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn profile(ctx: &Ctx) -> Result<Option<Profile>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadBilling)?;
    Ok(read(ctx.db.reader(), account_id).await?.map(|kept| kept.profile))
}

async fn write(ctx: &Ctx, tx: &Tx, account_id: AccountId, profile: &Profile) -> Result<(), DbErr> {
    let before = read(&**tx, account_id).await?;
    if before.as_ref().is_some_and(|kept| kept.profile == *profile) {
        return Ok(());
    }
    let now = ctx.clock.now();
    let row = billing_profile::Model {
        account_id,
        legal_name: profile.legal_name.clone(),
        line1: profile.line1.clone(),
        line2: profile.line2.clone(),
        city: profile.city.clone(),
        region: profile.region.clone(),
        postal_code: profile.postal_code.clone(),
        country: profile.country.clone(),
        email: profile.email.clone(),
        version: before.as_ref().map_or(1, |kept| kept.row.version + 1),
        created_at_ms: before.as_ref().map_or(now, |kept| kept.row.created_at_ms),
        updated_at_ms: now,
    };
    if before.is_some() {
        let all = row.into_active_model().reset_all();
        billing_profile::Entity::update(all).exec(&**tx).await?;
    } else {
        let insert = billing_profile::Entity::insert(row.into_active_model());
        insert.exec_without_returning(&**tx).await?;
    }
    let of_account = billing_tax_id::Column::AccountId.eq(account_id);
    billing_tax_id::Entity::delete_many().filter(of_account).exec(&**tx).await?;
    for (position, tax_id) in (0..).zip(&profile.tax_ids) {
        let row = billing_tax_id::Model {
            account_id,
            position,
            kind: tax_id.kind.clone(),
            value: tax_id.value.clone(),
        };
        let insert = billing_tax_id::Entity::insert(row.into_active_model());
        insert.exec_without_returning(&**tx).await?;
    }
    Ok(())
}

/// Who makes documents out, line by line: the operator, as its own billing profile says.
pub(super) async fn operator_lines<C: ConnectionTrait>(
    connection: &C,
) -> Result<Vec<String>, DbErr> {
    let operator = account::Column::Kind.eq(AccountKind::Operator);
    match account::Entity::find().filter(operator).one(connection).await? {
        Some(found) => account_lines(connection, found.id).await,
        None => Ok(Vec::new()),
    }
}

/// An account line by line, as its billing profile says; by its name alone if it has none.
pub(super) async fn account_lines<C: ConnectionTrait>(
    connection: &C,
    account_id: AccountId,
) -> Result<Vec<String>, DbErr> {
    if let Some(kept) = read(connection, account_id).await? {
        return Ok(kept.profile.lines());
    }
    let found = account::Entity::find_by_id(account_id).one(connection).await?;
    Ok(found.into_iter().map(|account| account.name).collect())
}

/// The profile of an account. Asks for no right: it is part of finalizing.
pub(super) async fn read<C: ConnectionTrait>(
    connection: &C,
    account_id: AccountId,
) -> Result<Option<KeptProfile>, DbErr> {
    let row = billing_profile::Entity::find_by_id(account_id).one(connection).await?;
    let Some(row) = row else { return Ok(None) };
    let tax_ids = billing_tax_id::Entity::find()
        .filter(billing_tax_id::Column::AccountId.eq(account_id))
        .order_by_asc(billing_tax_id::Column::Position)
        .all(connection)
        .await?;
    let tax_ids = tax_ids.into_iter().map(|id| TaxId { kind: id.kind, value: id.value }).collect();
    let profile = Profile {
        legal_name: row.legal_name.clone(),
        line1: row.line1.clone(),
        line2: row.line2.clone(),
        city: row.city.clone(),
        region: row.region.clone(),
        postal_code: row.postal_code.clone(),
        country: row.country.clone(),
        email: row.email.clone(),
        tax_ids,
    };
    Ok(Some(KeptProfile { profile, row }))
}

fn checked(profile: Profile) -> Result<Profile, ProfileRejection> {
    use ProfileRejection as Rejection;
    let needed = |text: &str| line(text).ok_or(Rejection::InvalidAddress);
    let optional = |text: Option<String>| text.as_deref().map(needed).transpose();
    if profile.tax_ids.len() > TAX_IDS_MAX {
        return Err(Rejection::TooManyTaxIds);
    }
    let tax_ids = profile.tax_ids.into_iter().map(tax_id);
    Ok(Profile {
        legal_name: line(&profile.legal_name).ok_or(Rejection::InvalidName)?,
        line1: needed(&profile.line1)?,
        line2: optional(profile.line2)?,
        city: needed(&profile.city)?,
        region: optional(profile.region)?,
        postal_code: optional(profile.postal_code)?,
        country: country(&profile.country).ok_or(Rejection::UnknownCountry)?,
        email: email(&profile.email).ok_or(Rejection::InvalidEmail)?,
        tax_ids: tax_ids.collect::<Option<_>>().ok_or(Rejection::InvalidTaxId)?,
    })
}

/// A text of one line, without blanks around it.
pub(super) fn line(text: &str) -> Option<String> {
    let text = text.trim();
    let fits = (1..=PROFILE_LINE_CHARS_MAX).contains(&text.chars().count());
    (fits && !text.contains(char::is_control)).then(|| text.to_owned())
}

/// A country that has a numbering plan, which every inhabited one has.
pub(super) fn country(text: &str) -> Option<String> {
    text.parse::<Region>().ok().map(|region| region.as_str().to_owned())
}

/// Only the shape is looked at: whether mail arrives is seen when it is sent.
fn email(text: &str) -> Option<String> {
    let text = text.trim();
    let (local, domain) = text.rsplit_once('@')?;
    let odd = |c: char| c.is_whitespace() || c.is_control() || c == '@';
    let fits = text.chars().count() <= EMAIL_CHARS_MAX
        && !local.is_empty()
        && !local.contains(odd)
        && !domain.contains(odd)
        && domain.split('.').all(|label| !label.is_empty());
    fits.then(|| text.to_owned())
}

/// Loosely: each country has its own forms, which change, and the authority is the one to ask.
fn tax_id(id: TaxId) -> Option<TaxId> {
    let (kind, value) = (id.kind.trim(), id.value.trim().to_uppercase());
    let of_kind = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let kind_fits = (2..=TAX_ID_KIND_CHARS_MAX).contains(&kind.len()) && kind.chars().all(of_kind);
    let of_value = |c: char| c.is_ascii_alphanumeric() || " .-/".contains(c);
    let value_fits = (TAX_ID_CHARS_MIN..=TAX_ID_CHARS_MAX).contains(&value.chars().count())
        && value.chars().all(of_value)
        && value.contains(|c: char| c.is_ascii_digit());
    (kind_fits && value_fits).then(|| TaxId { kind: kind.to_owned(), value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> Profile {
        Profile {
            legal_name: " Acme GmbH ".to_owned(),
            line1: "Hauptstraße 1".to_owned(),
            line2: None,
            city: "Berlin".to_owned(),
            region: None,
            postal_code: Some("10115".to_owned()),
            country: "de".to_owned(),
            email: "billing@acme.example".to_owned(),
            tax_ids: vec![TaxId { kind: "eu_vat".to_owned(), value: "de 123456789".to_owned() }],
        }
    }

    #[test]
    fn a_profile_is_kept_in_its_normal_form() {
        let kept = checked(sound()).expect("sound");
        assert_eq!(kept.legal_name, "Acme GmbH");
        assert_eq!(kept.country, "DE");
        assert_eq!(kept.tax_ids[0].value, "DE 123456789");
        assert_eq!(checked(kept.clone()), Ok(kept));
    }

    #[test]
    fn what_is_wrong_is_named() {
        use ProfileRejection as Rejection;
        let with = |change: &dyn Fn(&mut Profile)| {
            let mut profile = sound();
            change(&mut profile);
            checked(profile).expect_err("is refused")
        };
        assert_eq!(with(&|p| p.legal_name = " ".to_owned()), Rejection::InvalidName);
        assert_eq!(with(&|p| p.legal_name = "a\nb".to_owned()), Rejection::InvalidName);
        assert_eq!(with(&|p| p.city = "x".repeat(201)), Rejection::InvalidAddress);
        assert_eq!(with(&|p| p.line2 = Some(String::new())), Rejection::InvalidAddress);
        assert_eq!(with(&|p| p.country = "ZZ".to_owned()), Rejection::UnknownCountry);
        for email in ["", "a", "a@", "@b", "a b@c.d", "a@b..c"] {
            assert_eq!(with(&|p| p.email = email.to_owned()), Rejection::InvalidEmail, "{email}");
        }
        for value in ["", "12", "ABC", "DE123;", &"1".repeat(41)] {
            let refused = with(&|p| p.tax_ids[0].value = value.to_owned());
            assert_eq!(refused, Rejection::InvalidTaxId, "{value}");
        }
        assert_eq!(with(&|p| p.tax_ids[0].kind = "EU VAT".to_owned()), Rejection::InvalidTaxId);
        let many = |p: &mut Profile| p.tax_ids = vec![p.tax_ids[0].clone(); TAX_IDS_MAX + 1];
        assert_eq!(with(&many), Rejection::TooManyTaxIds);
    }
}
