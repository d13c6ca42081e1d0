//! Packages: bought, included and given; what they pay for, and how they end.

mod contract;
mod crashes;
mod ends;
mod pays;

use entity::enums::{PackageState, Role, ValidityUnit};
use entity::granted_package::{Entity, Model};
use entity::ids::{GrantedPackageId, PackageId};
use entity::package;
use heliograph::billing::CreditChange;
use heliograph::billing::packages::{self, Holding, NewPackage, ScopeText, Validity};
use heliograph::ctx::Ctx;
use heliograph::types::money::Micros;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::billing::{PART, Payer};
use crate::graphql_api::person;
use crate::support::TestHouse;

/// Micro-units of a part of a package.
pub const ONE: i64 = 1_000_000;

/// A package of parts for 1 dollar, valid for 30 days.
pub fn of_parts(name: &str, parts: i32) -> NewPackage {
    NewPackage {
        name: name.to_owned(),
        currency: "USD".parse().unwrap(),
        price: Micros(100 * PART),
        holding: Holding { parts: Some(parts), credit: None },
        validity: Validity { unit: ValidityUnit::Days, count: 30 },
        scope: ScopeText::default(),
    }
}

/// The same with credit instead.
pub fn of_credit(name: &str, credit: i64) -> NewPackage {
    let holding = Holding { parts: None, credit: Some(Micros(credit)) };
    NewPackage { holding, ..of_parts(name, 1) }
}

pub async fn offer(house: &TestHouse, new: NewPackage) -> package::Model {
    packages::create(&house.system(), new).await.unwrap()
}

/// Gives an account a package.
pub async fn give(house: &TestHouse, payer: &Payer, id: PackageId, key: &str) -> GrantedPackageId {
    packages::grant(&house.system(), payer.account_id, id, key).await.unwrap().row.id
}

/// An account with this balance, and a package of parts.
pub async fn payer_with_parts(
    house: &TestHouse,
    balance: i64,
    parts: i32,
) -> (Payer, GrantedPackageId) {
    let payer = Payer::with(house, balance).await;
    let package = offer(house, of_parts("Parts", parts)).await;
    let id = give(house, &payer, package.id, "k").await;
    (payer, id)
}

/// The person of a payer's account who may pay.
pub fn buyer(house: &TestHouse, payer: &Payer) -> Ctx {
    person(house, payer.account_id, Role::Billing)
}

pub async fn row(house: &TestHouse, id: GrantedPackageId) -> Model {
    let system = house.system();
    let of_id = Entity::find().filter(entity::granted_package::Column::Id.eq(id));
    of_id.one(system.db.reader()).await.unwrap().unwrap()
}

/// What is left of a package, what of that is held, and where it stands.
pub async fn left(house: &TestHouse, id: GrantedPackageId) -> (i64, i64, PackageState) {
    let row = row(house, id).await;
    (row.balance_micros, row.held_micros, row.state)
}

pub async fn pay_in(house: &TestHouse, payer: &Payer, amount: i64) {
    let add_balance = Some(Micros(amount));
    payer.change(house, CreditChange { add_balance, ..CreditChange::default() }).await;
}
