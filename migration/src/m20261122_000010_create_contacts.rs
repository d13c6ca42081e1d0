//! Contacts, what is known of them, lists and segments; consent, suppressions, and topics of messages.

use sea_orm_migration::prelude::*;

use crate::ddl::{RowsOf, create_table, refuse_changes, run, wall};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, columns) in TABLES {
            create_table(manager, name, columns).await?;
        }
        run(manager, INDEXES).await?;
        refuse_changes(manager, "consent_event").await?;
        for (table, rows) in WALLS {
            wall(manager, table, rows).await?;
        }
        Ok(())
    }
}

/// Whose the rows are.
const WALLS: &[(&str, RowsOf)] = &[
    ("contact", RowsOf::Account("account_id")),
    ("contact_attribute", RowsOf::Account("account_id")),
    ("contact_value", RowsOf::Account("account_id")),
    ("contact_tag", RowsOf::Account("account_id")),
    ("contact_list", RowsOf::Account("account_id")),
    ("list_member", RowsOf::Account("account_id")),
    ("segment", RowsOf::Account("account_id")),
    ("consent_event", RowsOf::Account("account_id")),
    ("suppression", RowsOf::Account("account_id")),
    ("inbound_keyword", RowsOf::Account("account_id")),
    ("auto_reply", RowsOf::Account("account_id")),
];

const TABLES: &[(&str, &str)] = &[
    (
        "contact",
        "account_id UUID NOT NULL REFERENCES account (id),
         id UUID NOT NULL,
         number TEXT NOT NULL CHECK (length(number) BETWEEN 6 AND 16),
         number_mac BYTEA NOT NULL CHECK (length(number_mac) = 32),
         country TEXT NOT NULL CHECK (length(country) <= 2),
         version INTEGER NOT NULL,
         created_at_ms BIGINT NOT NULL,
         updated_at_ms BIGINT NOT NULL,
         PRIMARY KEY (account_id, id),
         CONSTRAINT contact_number_unique UNIQUE (account_id, number)",
    ),
    (
        "contact_attribute",
        "account_id UUID NOT NULL REFERENCES account (id),
         id UUID NOT NULL,
         key TEXT NOT NULL CHECK (length(key) BETWEEN 1 AND 50),
         kind SMALLINT NOT NULL CHECK (kind BETWEEN 0 AND 3),
         deleted_at_ms BIGINT,
         created_at_ms BIGINT NOT NULL,
         PRIMARY KEY (account_id, id)",
    ),
    (
        "contact_value",
        "account_id UUID NOT NULL,
         contact_id UUID NOT NULL,
         attribute_id UUID NOT NULL,
         text_value TEXT CHECK (length(text_value) BETWEEN 1 AND 500),
         number_value BIGINT,
         PRIMARY KEY (account_id, contact_id, attribute_id),
         CHECK ((text_value IS NULL) <> (number_value IS NULL)),
         FOREIGN KEY (account_id, contact_id) REFERENCES contact (account_id, id) ON DELETE CASCADE,
         FOREIGN KEY (account_id, attribute_id) REFERENCES contact_attribute (account_id, id)",
    ),
    (
        "contact_tag",
        "account_id UUID NOT NULL,
         contact_id UUID NOT NULL,
         tag TEXT NOT NULL CHECK (length(tag) BETWEEN 1 AND 50),
         PRIMARY KEY (account_id, contact_id, tag),
         FOREIGN KEY (account_id, contact_id) REFERENCES contact (account_id, id) ON DELETE CASCADE",
    ),
    (
        "contact_list",
        "account_id UUID NOT NULL REFERENCES account (id),
         id UUID NOT NULL,
         name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
         deleted_at_ms BIGINT,
         version INTEGER NOT NULL,
         created_at_ms BIGINT NOT NULL,
         updated_at_ms BIGINT NOT NULL,
         PRIMARY KEY (account_id, id)",
    ),
    (
        "list_member",
        "account_id UUID NOT NULL,
         list_id UUID NOT NULL,
         contact_id UUID NOT NULL,
         added_at_ms BIGINT NOT NULL,
         PRIMARY KEY (account_id, list_id, contact_id),
         FOREIGN KEY (account_id, contact_id) REFERENCES contact (account_id, id) ON DELETE CASCADE,
         FOREIGN KEY (account_id, list_id) REFERENCES contact_list (account_id, id)",
    ),
    (
        "segment",
        "account_id UUID NOT NULL REFERENCES account (id),
         id UUID NOT NULL,
         name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
         condition TEXT NOT NULL,
         version INTEGER NOT NULL,
         created_at_ms BIGINT NOT NULL,
         updated_at_ms BIGINT NOT NULL,
         PRIMARY KEY (account_id, id),
         CONSTRAINT segment_name_unique UNIQUE (account_id, name)",
    ),
    (
        "consent_event",
        "account_id UUID NOT NULL REFERENCES account (id),
         id UUID NOT NULL,
         number_mac BYTEA NOT NULL CHECK (length(number_mac) = 32),
         kind SMALLINT NOT NULL CHECK (kind BETWEEN 0 AND 3),
         scope SMALLINT NOT NULL CHECK (scope BETWEEN 0 AND 2),
         scope_value TEXT NOT NULL CHECK (length(scope_value) <= 50),
         source SMALLINT NOT NULL CHECK (source BETWEEN 0 AND 7),
         wording TEXT NOT NULL CHECK (length(wording) <= 2000),
         ip TEXT CHECK (length(ip) <= 45),
         inbound_message_id UUID,
         occurred_at_ms BIGINT NOT NULL,
         recorded_at_ms BIGINT NOT NULL,
         PRIMARY KEY (account_id, id)",
    ),
    (
        "suppression",
        "account_id UUID NOT NULL REFERENCES account (id),
         number_mac BYTEA NOT NULL CHECK (length(number_mac) = 32),
         scope SMALLINT NOT NULL CHECK (scope BETWEEN 0 AND 2),
         scope_value TEXT NOT NULL CHECK (length(scope_value) <= 50 AND (scope_value = '') = (scope = 0)),
         id UUID NOT NULL,
         last_digits TEXT NOT NULL CHECK (length(last_digits) = 2),
         reason SMALLINT NOT NULL CHECK (reason BETWEEN 0 AND 2),
         note TEXT CHECK (length(note) BETWEEN 1 AND 500),
         created_at_ms BIGINT NOT NULL,
         PRIMARY KEY (account_id, number_mac, scope, scope_value)",
    ),
    (
        "inbound_keyword",
        "account_id UUID NOT NULL REFERENCES account (id),
         id UUID NOT NULL,
         word TEXT NOT NULL CHECK (length(word) BETWEEN 1 AND 30),
         action SMALLINT NOT NULL CHECK (action BETWEEN 0 AND 3),
         answer TEXT CHECK (length(answer) BETWEEN 1 AND 600),
         created_at_ms BIGINT NOT NULL,
         PRIMARY KEY (account_id, id),
         CONSTRAINT inbound_keyword_word_unique UNIQUE (account_id, word),
         CHECK (action <> 3 OR answer IS NOT NULL)",
    ),
    (
        "auto_reply",
        "account_id UUID NOT NULL REFERENCES account (id),
         inbound_message_id UUID NOT NULL,
         sender TEXT NOT NULL,
         recipient TEXT NOT NULL,
         action SMALLINT NOT NULL CHECK (action BETWEEN 0 AND 3),
         language SMALLINT NOT NULL CHECK (language BETWEEN 0 AND 12),
         keyword_id UUID,
         passes_suppression BOOLEAN NOT NULL,
         state SMALLINT NOT NULL CHECK (state BETWEEN 0 AND 2),
         message_id UUID,
         refusal TEXT,
         created_at_ms BIGINT NOT NULL,
         PRIMARY KEY (account_id, inbound_message_id),
         CHECK ((message_id IS NOT NULL) = (state = 1)),
         CHECK ((refusal IS NOT NULL) = (state = 2))",
    ),
];

const INDEXES: &[&str] = &[
    "CREATE INDEX contact_by_mac ON contact (account_id, number_mac)",
    "CREATE UNIQUE INDEX contact_attribute_key_unique ON contact_attribute (account_id, key) WHERE deleted_at_ms IS NULL",
    "CREATE UNIQUE INDEX contact_list_name_unique ON contact_list (account_id, name) WHERE deleted_at_ms IS NULL",
    // What was deleted and is not yet removed.
    "CREATE INDEX contact_attribute_deleted ON contact_attribute (deleted_at_ms) WHERE deleted_at_ms IS NOT NULL",
    "CREATE INDEX contact_list_deleted ON contact_list (deleted_at_ms) WHERE deleted_at_ms IS NOT NULL",
    "CREATE INDEX contact_value_attribute ON contact_value (account_id, attribute_id, contact_id)",
    "CREATE INDEX contact_tag_contacts ON contact_tag (account_id, tag, contact_id)",
    "CREATE INDEX list_member_contact ON list_member (account_id, contact_id)",
    "CREATE INDEX consent_event_number ON consent_event (account_id, number_mac, id)",
    "CREATE UNIQUE INDEX suppression_id ON suppression (account_id, id)",
    "CREATE INDEX auto_reply_pending ON auto_reply (inbound_message_id) WHERE state = 0",
    "CREATE UNIQUE INDEX auto_reply_message ON auto_reply (account_id, message_id) WHERE message_id IS NOT NULL",
    "CREATE INDEX auto_reply_phone ON auto_reply (account_id, recipient, created_at_ms)",
    "CREATE INDEX auto_reply_created ON auto_reply (created_at_ms)",
    // A thread: what a phone wrote.
    "CREATE INDEX inbound_message_sender ON inbound_message (account_id, sender, id)",
    // What a message is about, where its recipient may object to that alone.
    "ALTER TABLE message ADD COLUMN topic TEXT CHECK (length(topic) BETWEEN 1 AND 50)",
];
