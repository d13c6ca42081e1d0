//! Billing profiles, taxes, invoices.

use sea_orm_migration::prelude::*;

use crate::ddl::{RowsOf, create_table, run, wall};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, columns) in TABLES {
            create_table(manager, name, columns).await?;
        }
        run(manager, INDEXES).await?;
        for (table, rows) in WALLS {
            wall(manager, table, rows).await?;
        }
        Ok(())
    }
}

/// Whose the rows are. Rates of taxes are the operator's: an account learns those of its invoices.
const WALLS: &[(&str, RowsOf)] = &[
    ("billing_profile", RowsOf::Account("account_id")),
    ("billing_tax_id", RowsOf::Account("account_id")),
    ("tax_rate", RowsOf::Platform),
    ("account_tax_rate", RowsOf::Account("account_id")),
    ("invoice", RowsOf::Account("account_id")),
    ("invoice_line", RowsOf::Account("account_id")),
    ("invoice_tax", RowsOf::Account("account_id")),
    ("invoice_allocation", RowsOf::Account("account_id")),
    ("invoice_counter", RowsOf::Account("account_id")),
    ("invoice_run", RowsOf::Account("account_id")),
];

const TABLES: &[(&str, &str)] = &[
    (
        "billing_profile",
        "account_id UUID NOT NULL PRIMARY KEY REFERENCES account (id),
         legal_name TEXT NOT NULL CHECK (length(legal_name) BETWEEN 1 AND 200),
         line1 TEXT NOT NULL CHECK (length(line1) BETWEEN 1 AND 200),
         line2 TEXT CHECK (length(line2) BETWEEN 1 AND 200),
         city TEXT NOT NULL CHECK (length(city) BETWEEN 1 AND 200),
         region TEXT CHECK (length(region) BETWEEN 1 AND 200),
         postal_code TEXT CHECK (length(postal_code) BETWEEN 1 AND 200),
         country TEXT NOT NULL CHECK (length(country) = 2),
         email TEXT NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
         version INTEGER NOT NULL,
         created_at_ms BIGINT NOT NULL,
         updated_at_ms BIGINT NOT NULL",
    ),
    (
        "billing_tax_id",
        "account_id UUID NOT NULL REFERENCES billing_profile (account_id),
         position SMALLINT NOT NULL CHECK (position >= 0),
         kind TEXT NOT NULL CHECK (length(kind) BETWEEN 2 AND 20),
         value TEXT NOT NULL CHECK (length(value) BETWEEN 3 AND 40),
         PRIMARY KEY (account_id, position)",
    ),
    (
        "tax_rate",
        "id UUID NOT NULL PRIMARY KEY,
         name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
         rate_millionths BIGINT NOT NULL CHECK (rate_millionths BETWEEN 0 AND 1000000),
         country TEXT CHECK (length(country) = 2),
         archived_at_ms BIGINT,
         created_at_ms BIGINT NOT NULL",
    ),
    (
        "account_tax_rate",
        "account_id UUID NOT NULL REFERENCES account (id),
         tax_rate_id UUID NOT NULL REFERENCES tax_rate (id),
         PRIMARY KEY (account_id, tax_rate_id)",
    ),
    (
        "invoice",
        "account_id UUID NOT NULL REFERENCES account (id),
         id UUID NOT NULL,
         kind SMALLINT NOT NULL CHECK (kind BETWEEN 0 AND 2),
         status SMALLINT NOT NULL CHECK (status BETWEEN 0 AND 4),
         number TEXT CHECK (length(number) BETWEEN 1 AND 40),
         currency TEXT NOT NULL CHECK (length(currency) = 3),
         month INTEGER,
         invoice_id UUID,
         reason TEXT CHECK (length(reason) BETWEEN 1 AND 500),
         request_key TEXT CHECK (length(request_key) BETWEEN 1 AND 100),
         issuer TEXT,
         bill_to TEXT,
         subtotal_micros BIGINT NOT NULL,
         tax_micros BIGINT NOT NULL,
         total_micros BIGINT NOT NULL CHECK (total_micros = subtotal_micros + tax_micros),
         paid_micros BIGINT NOT NULL CHECK (paid_micros >= 0),
         credited_net_micros BIGINT NOT NULL CHECK (credited_net_micros >= 0),
         credited_micros BIGINT NOT NULL CHECK (credited_micros >= 0),
         due_at_ms BIGINT,
         overdue_at_ms BIGINT,
         finalized_at_ms BIGINT,
         ended_at_ms BIGINT,
         version INTEGER NOT NULL,
         created_at_ms BIGINT NOT NULL,
         updated_at_ms BIGINT NOT NULL,
         PRIMARY KEY (account_id, id),
         CONSTRAINT invoice_number_unique UNIQUE (account_id, number),
         CONSTRAINT invoice_request_key_unique UNIQUE (account_id, request_key),
         CONSTRAINT invoice_number_when_final CHECK ((status = 0) = (number IS NULL)),
         CONSTRAINT invoice_credited_at_most_total CHECK (status = 0 OR credited_micros <= total_micros)",
    ),
    (
        "invoice_line",
        "account_id UUID NOT NULL,
         invoice_id UUID NOT NULL,
         number INTEGER NOT NULL CHECK (number > 0),
         kind SMALLINT NOT NULL CHECK (kind BETWEEN 0 AND 4),
         description TEXT NOT NULL CHECK (length(description) <= 500),
         country TEXT,
         class SMALLINT,
         unit_price_nanos BIGINT,
         messages BIGINT,
         quantity_micros BIGINT NOT NULL,
         amount_micros BIGINT NOT NULL,
         PRIMARY KEY (account_id, invoice_id, number),
         FOREIGN KEY (account_id, invoice_id) REFERENCES invoice (account_id, id)",
    ),
    (
        "invoice_tax",
        "account_id UUID NOT NULL,
         invoice_id UUID NOT NULL,
         tax_rate_id UUID NOT NULL REFERENCES tax_rate (id),
         name TEXT NOT NULL,
         rate_millionths BIGINT NOT NULL,
         base_micros BIGINT NOT NULL,
         amount_micros BIGINT NOT NULL,
         PRIMARY KEY (account_id, invoice_id, tax_rate_id),
         FOREIGN KEY (account_id, invoice_id) REFERENCES invoice (account_id, id)",
    ),
    (
        "invoice_allocation",
        "account_id UUID NOT NULL,
         invoice_id UUID NOT NULL,
         payment_id UUID NOT NULL,
         amount_micros BIGINT NOT NULL CHECK (amount_micros >= 0),
         reference TEXT CHECK (length(reference) BETWEEN 1 AND 200),
         created_at_ms BIGINT NOT NULL,
         PRIMARY KEY (account_id, invoice_id, payment_id),
         FOREIGN KEY (account_id, invoice_id) REFERENCES invoice (account_id, id)",
    ),
    (
        "invoice_counter",
        "account_id UUID NOT NULL REFERENCES account (id),
         kind SMALLINT NOT NULL CHECK (kind BETWEEN 0 AND 2),
         last_number BIGINT NOT NULL CHECK (last_number > 0),
         PRIMARY KEY (account_id, kind)",
    ),
    (
        "invoice_run",
        "account_id UUID NOT NULL REFERENCES account (id),
         currency TEXT NOT NULL CHECK (length(currency) = 3),
         month INTEGER NOT NULL,
         PRIMARY KEY (account_id, currency)",
    ),
];

const INDEXES: &[&str] = &[
    // The operator finds an invoice by its id alone, and pages through those of all accounts.
    "CREATE UNIQUE INDEX invoice_id ON invoice (id)",
    "CREATE INDEX invoice_status ON invoice (status, id)",
    // A month has one invoice or statement that counts.
    "CREATE UNIQUE INDEX invoice_one_a_month ON invoice (account_id, currency, month) WHERE month IS NOT NULL AND status <> 3",
    "CREATE INDEX invoice_corrects ON invoice (account_id, invoice_id) WHERE invoice_id IS NOT NULL",
    // What becomes overdue.
    "CREATE INDEX invoice_due ON invoice (due_at_ms) WHERE status = 1 AND overdue_at_ms IS NULL",
    "CREATE INDEX invoice_allocation_payment ON invoice_allocation (account_id, payment_id)",
    "CREATE INDEX tax_rate_country ON tax_rate (country) WHERE country IS NOT NULL AND archived_at_ms IS NULL",
];
