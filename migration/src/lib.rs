//! Schema migrations, oldest first. A migration that has been released is never edited: expand,
//! backfill, contract.

pub use sea_orm_migration::prelude::*;

mod ddl;
mod m20261122_000001_create_identity;
mod m20261122_000002_create_messaging;
mod m20261122_000003_create_ledger;
mod m20261122_000004_create_price_plans;
mod m20261122_000005_create_invoices;
mod m20261122_000006_create_payments;
mod m20261122_000007_create_payment_methods;
mod m20261122_000008_add_payment_flow;
mod m20261122_000009_collect_invoices;
mod m20261122_000010_create_contacts;
mod m20261122_000011_create_rollups;
mod m20261122_000012_create_packages;
mod m20261122_000013_create_reconciliation_reports;
mod m20261122_000014_create_campaigns;
mod m20261122_000016_create_imports;
mod m20261122_000017_add_quiet_hours;
mod m20261122_000018_count_engagement;
mod m20261122_000020_create_short_links;
mod m20261122_000021_create_link_clicks;
mod m20261122_000022_create_campaign_variants;
mod m20261122_000023_create_link_domains;

/// The list that `heliograph migrate up` and the start of the program run.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261122_000001_create_identity::Migration),
            Box::new(m20261122_000002_create_messaging::Migration),
            Box::new(m20261122_000003_create_ledger::Migration),
            Box::new(m20261122_000004_create_price_plans::Migration),
            Box::new(m20261122_000005_create_invoices::Migration),
            Box::new(m20261122_000006_create_payments::Migration),
            Box::new(m20261122_000007_create_payment_methods::Migration),
            Box::new(m20261122_000008_add_payment_flow::Migration),
            Box::new(m20261122_000009_collect_invoices::Migration),
            Box::new(m20261122_000010_create_contacts::Migration),
            Box::new(m20261122_000011_create_rollups::Migration),
            Box::new(m20261122_000012_create_packages::Migration),
            Box::new(m20261122_000013_create_reconciliation_reports::Migration),
            Box::new(m20261122_000014_create_campaigns::Migration),
            Box::new(m20261122_000016_create_imports::Migration),
            Box::new(m20261122_000017_add_quiet_hours::Migration),
            Box::new(m20261122_000018_count_engagement::Migration),
            Box::new(m20261122_000020_create_short_links::Migration),
            Box::new(m20261122_000021_create_link_clicks::Migration),
            Box::new(m20261122_000022_create_campaign_variants::Migration),
            Box::new(m20261122_000023_create_link_domains::Migration),
        ]
    }
}
