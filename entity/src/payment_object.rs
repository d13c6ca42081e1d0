//! Which of a processor's objects belong to which payment.

use sea_orm::entity::prelude::*;

use crate::ids::{PaymentId, ProcessorId};

/// An object of a processor's, and its payment.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payment_object")]
pub struct Model {
    /// At which processor.
    #[sea_orm(primary_key, auto_increment = false)]
    pub endpoint_id: ProcessorId,
    /// Its id there.
    #[sea_orm(primary_key, auto_increment = false)]
    pub object_id: String,
    /// Whose it is.
    pub payment_id: PaymentId,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
