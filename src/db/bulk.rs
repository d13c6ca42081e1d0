//! Many rows in one statement, on both stores, as a common table expression.
//!
//! `WITH rows(a, b) AS (…)` is followed by the caller's `INSERT … SELECT … FROM rows` or
//! `UPDATE … FROM rows`. PostgreSQL gets one array a column (`UNNEST`), so the statement's text is
//! the same for any number of rows and is prepared once; SQLite gets `VALUES`.
//!
//! The driver cannot bind an array with a null in it, so on PostgreSQL a nullable column carries a
//! value that cannot occur otherwise and `NULLIF` takes it back out.

use sea_orm::sea_query::{ArrayType, Value};
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Statement};
use uuid::Uuid;

use super::{Db, Store, Tx};

/// SQLite binds at most 32,766 values a statement; one column short of it for the caller's own.
const SQLITE_VALUES_MAX: usize = 32_000;

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BulkType {
    /// `Uuid`.
    Uuid,
    /// `i64`.
    BigInt,
    /// `i32`.
    Int,
    /// `i16`.
    SmallInt,
    /// `bool`.
    Bool,
    /// `String`.
    Text,
    /// `Vec<u8>`.
    Bytes,
}

/// A column of the expression.
#[derive(Clone, Copy, Debug)]
pub struct BulkColumn {
    /// Its name after `WITH rows`.
    pub name: &'static str,
    /// Its type.
    pub kind: BulkType,
    /// Whether it may hold null.
    pub nullable: bool,
}

impl BulkColumn {
    /// A column that is never null.
    pub const fn new(name: &'static str, kind: BulkType) -> Self {
        Self { name, kind, nullable: false }
    }

    /// A column that may be null.
    pub const fn nullable(name: &'static str, kind: BulkType) -> Self {
        Self { name, kind, nullable: true }
    }
}

/// Rows to be written by one statement.
pub struct Bulk<'a> {
    columns: &'a [BulkColumn],
    /// A vector a column, all of one length.
    values: Vec<Vec<Value>>,
}

impl<'a> Bulk<'a> {
    /// No rows yet.
    pub fn new(columns: &'a [BulkColumn]) -> Self {
        Self { columns, values: vec![Vec::new(); columns.len()] }
    }

    /// Adds a row: a value a column, in order.
    pub fn push<const N: usize>(&mut self, row: [Value; N]) {
        debug_assert_eq!(N, self.columns.len(), "a value for each column");
        for (column, value) in self.values.iter_mut().zip(row) {
            column.push(value);
        }
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.values.first().map_or(0, Vec::len)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Runs `WITH rows(…) AS (…) {statement}`, and says how many rows it changed. `statement` may
    /// use further values as `{1}`, `{2}` …, given in `extra`. No rows: nothing runs.
    ///
    /// # Errors
    /// The store's own.
    pub async fn execute(self, tx: &Tx, statement: &str, extra: Vec<Value>) -> Result<u64, DbErr> {
        let mut changed = 0;
        for statement in self.statements(tx.store(), statement, &extra) {
            changed += tx.execute_raw(statement).await?.rows_affected();
        }
        Ok(changed)
    }

    /// The same for a statement with `RETURNING`, or a `SELECT`.
    ///
    /// # Errors
    /// The store's own.
    pub async fn query(
        self,
        tx: &Tx,
        statement: &str,
        extra: Vec<Value>,
    ) -> Result<Vec<QueryResult>, DbErr> {
        let mut rows = Vec::new();
        for statement in self.statements(tx.store(), statement, &extra) {
            rows.extend(tx.query_all_raw(statement).await?);
        }
        Ok(rows)
    }

    /// The same for a `SELECT` outside a transaction. With more rows than one statement holds the
    /// answers follow each other.
    ///
    /// # Errors
    /// The store's own.
    pub async fn read(
        self,
        db: &Db,
        statement: &str,
        extra: Vec<Value>,
    ) -> Result<Vec<QueryResult>, DbErr> {
        let mut rows = Vec::new();
        for statement in self.statements(db.store(), statement, &extra) {
            rows.extend(db.reader().query_all_raw(statement).await?);
        }
        Ok(rows)
    }

    fn statements(self, store: Store, text: &str, extra: &[Value]) -> Vec<Statement> {
        if self.is_empty() {
            return Vec::new();
        }
        match store {
            Store::Postgres => vec![self.unnest(text, extra)],
            Store::Sqlite => self.values_lists(text, extra),
        }
    }

    fn unnest(self, text: &str, extra: &[Value]) -> Statement {
        let names: Vec<_> = self.columns.iter().map(|column| column.name).collect();
        let selected: Vec<_> = self.columns.iter().map(postgres_expression).collect();
        let arrays: Vec<_> = self
            .columns
            .iter()
            .enumerate()
            .map(|(index, column)| format!("${}::{}[]", index + 1, postgres_type(column.kind)))
            .collect();
        let sql = format!(
            "WITH rows({names}) AS (SELECT {selected} FROM UNNEST({arrays}) AS u({names})) {}",
            numbered(text, Store::Postgres, self.columns.len(), extra.len()),
            names = names.join(", "),
            selected = selected.join(", "),
            arrays = arrays.join(", "),
        );
        let arrays = self.columns.iter().zip(self.values).map(|(column, values)| {
            let values = values.into_iter().map(|value| without_null(column, value)).collect();
            Value::Array(array_type(column.kind), Some(Box::new(values)))
        });
        let values: Vec<Value> = arrays.chain(extra.iter().cloned()).collect();
        Statement::from_sql_and_values(Store::Postgres.backend(), sql, values)
    }

    fn values_lists(self, text: &str, extra: &[Value]) -> Vec<Statement> {
        let width = self.columns.len();
        let rows = self.len();
        let rows_max = SQLITE_VALUES_MAX / width;
        let names: Vec<_> = self.columns.iter().map(|column| column.name).collect();
        let mut columns: Vec<_> = self.values.into_iter().map(Vec::into_iter).collect();
        let mut statements = Vec::new();
        let mut done = 0;
        while done < rows {
            let taken = rows_max.min(rows - done);
            let mut values = Vec::with_capacity(taken * width + extra.len());
            for _ in 0..taken {
                values.extend(columns.iter_mut().filter_map(Iterator::next));
            }
            values.extend(extra.iter().cloned());
            let row = format!("({})", vec!["?"; width].join(","));
            let sql = format!(
                "WITH rows({}) AS (VALUES {}) {}",
                names.join(", "),
                vec![row.as_str(); taken].join(","),
                numbered(text, Store::Sqlite, taken * width, extra.len()),
            );
            statements.push(Statement::from_sql_and_values(Store::Sqlite.backend(), sql, values));
            done += taken;
        }
        statements
    }
}

/// Replaces `{1}` … by the store's placeholders, counted on from `before`.
fn numbered(text: &str, store: Store, before: usize, extra: usize) -> String {
    (1..=extra).fold(text.to_owned(), |text, n| {
        text.replace(&format!("{{{n}}}"), &store.placeholder(before + n))
    })
}

const fn postgres_type(kind: BulkType) -> &'static str {
    match kind {
        BulkType::Uuid => "uuid",
        BulkType::BigInt => "bigint",
        BulkType::Int => "integer",
        BulkType::SmallInt => "smallint",
        BulkType::Bool => "boolean",
        BulkType::Text => "text",
        BulkType::Bytes => "bytea",
    }
}

const fn array_type(kind: BulkType) -> ArrayType {
    match kind {
        BulkType::Uuid => ArrayType::Uuid,
        BulkType::BigInt => ArrayType::BigInt,
        BulkType::Int => ArrayType::Int,
        BulkType::SmallInt => ArrayType::SmallInt,
        BulkType::Bool => ArrayType::Bool,
        BulkType::Text => ArrayType::String,
        BulkType::Bytes => ArrayType::Bytes,
    }
}

/// What stands for null in an array. A text of ours is never U+0001 alone; empty bytes, the nil
/// UUID and the least integers are never stored.
fn postgres_expression(column: &BulkColumn) -> String {
    let name = column.name;
    if !column.nullable {
        return name.to_owned();
    }
    match column.kind {
        BulkType::Uuid => {
            format!("NULLIF({name}, '00000000-0000-0000-0000-000000000000'::uuid)")
        }
        BulkType::BigInt => format!("NULLIF({name}, '{}'::bigint)", i64::MIN),
        BulkType::Int => format!("NULLIF({name}, '{}'::integer)", i32::MIN),
        BulkType::SmallInt => format!("NULLIF({name}, '{}'::smallint)", i16::MIN),
        BulkType::Text => format!("NULLIF({name}, E'\\x01')"),
        BulkType::Bytes => format!("NULLIF({name}, ''::bytea)"),
        BulkType::Bool => panic!("column {name}: a nullable boolean has no value to spare"),
    }
}

fn without_null(column: &BulkColumn, value: Value) -> Value {
    match value {
        Value::Uuid(None) => Value::Uuid(Some(Uuid::nil())),
        Value::BigInt(None) => Value::BigInt(Some(i64::MIN)),
        Value::Int(None) => Value::Int(Some(i32::MIN)),
        Value::SmallInt(None) => Value::SmallInt(Some(i16::MIN)),
        Value::String(None) => Value::String(Some("\u{1}".to_owned())),
        Value::Bytes(None) => Value::Bytes(Some(Vec::new())),
        present => {
            debug_assert!(!column.name.is_empty());
            present
        }
    }
}
