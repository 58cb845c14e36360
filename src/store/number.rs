//! Numbers that lead to flows.

use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::act::put_act;
use super::pool::{in_transaction, on};
use super::{StoreError, TenantScope};
use crate::base::ids::FlowName;
use crate::model::tenant::{NumberMatch, NumberRoute, Reach};

/// A number or a pattern is at most this many bytes long.
const VALUE_MAX: usize = 256;
/// A label is at most this many characters long: phones show few.
const LABEL_MAX: usize = 32;
/// What a pattern may take when compiled, in bytes.
const PATTERN_BYTES_MAX: usize = 64 * 1_024;

/// A number to be added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NewNumber {
    #[serde(flatten)]
    pub number: NumberMatch,
    pub flow: FlowName,
    /// Patterns are tried from the lowest order on.
    #[serde(default)]
    pub order: i32,
    #[serde(default)]
    pub reach: Reach,
    /// Whether the conversations of its calls are recorded.
    #[serde(default)]
    pub record: bool,
    /// What phones that ring for its calls show before the caller's name, such as `Sales`. Flows
    /// and records have the caller's name with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

impl NewNumber {
    /// An exact number for calls from anywhere.
    pub fn exact(number: &str, flow: FlowName) -> Self {
        let number = NumberMatch::Exact(number.to_owned());
        Self { number, flow, order: 0, reach: Reach::Everywhere, record: false, label: None }
    }

    fn check(&self) -> Result<(), StoreError> {
        let (NumberMatch::Exact(value) | NumberMatch::Pattern(value)) = &self.number;
        if value.is_empty() || value.len() > VALUE_MAX || value.chars().any(char::is_control) {
            return Err(StoreError::Invalid(format!(
                "a number must have 1 to {VALUE_MAX} bytes and no control characters"
            )));
        }
        let plain = |label: &String| {
            let length = label.chars().count();
            (1..=LABEL_MAX).contains(&length)
                && label.trim() == label
                && !label.chars().any(char::is_control)
        };
        if !self.label.as_ref().is_none_or(plain) {
            return Err(StoreError::Invalid(format!(
                "a label must have 1 to {LABEL_MAX} characters, and no control characters or \
                 spaces around them"
            )));
        }
        match &self.number {
            NumberMatch::Exact(_) => Ok(()),
            NumberMatch::Pattern(pattern) => whole(pattern).map(drop),
        }
    }
}

/// Compiles a pattern so that it must match a number from its first to its last character.
pub(super) fn whole(pattern: &str) -> Result<Regex, StoreError> {
    let compile = |text: &str| {
        RegexBuilder::new(text).size_limit(PATTERN_BYTES_MAX).build().map_err(|error| {
            StoreError::Invalid(format!("the pattern `{pattern}` can't be used: {error}"))
        })
    };
    // Alone first: `a)(b` would be well formed between our parentheses.
    compile(pattern)?;
    compile(&format!(r"\A(?:{pattern})\z"))
}

#[derive(Debug, FromRow)]
pub(super) struct NumberRow {
    tenant: String,
    kind: String,
    value: String,
    flow: String,
    place: i64,
    reach: String,
    record: bool,
    label: Option<String>,
}

impl TryFrom<NumberRow> for NumberRoute {
    type Error = StoreError;
    fn try_from(row: NumberRow) -> Result<Self, StoreError> {
        Ok(Self {
            tenant: row.tenant.parse().map_err(StoreError::corrupt)?,
            number: match row.kind.as_str() {
                "exact" => NumberMatch::Exact(row.value),
                _ => NumberMatch::Pattern(row.value),
            },
            flow: row.flow.parse().map_err(StoreError::corrupt)?,
            order: i32::try_from(row.place).map_err(StoreError::corrupt)?,
            reach: if row.reach == "tenant" { Reach::Tenant } else { Reach::Everywhere },
            record: row.record,
            label: row.label,
        })
    }
}

const fn columns(number: &NumberMatch) -> (&'static str, &String) {
    match number {
        NumberMatch::Exact(value) => ("exact", value),
        NumberMatch::Pattern(value) => ("pattern", value),
    }
}

pub(super) const ALL: &str = "SELECT * FROM number ORDER BY kind, place, value, tenant";

impl TenantScope {
    /// Adds a number, or gives one that the tenant has another flow. The flow must exist; a number
    /// that is reached from everywhere must not be another tenant's.
    pub async fn put_number(&self, new: &NewNumber) -> Result<NumberRoute, StoreError> {
        new.check()?;
        self.flow(&new.flow).await?;
        let (kind, value) = columns(&new.number);
        let reach = match new.reach {
            Reach::Everywhere => "everywhere",
            Reach::Tenant => "tenant",
        };
        let route = NumberRoute {
            tenant: self.tenant,
            number: new.number.clone(),
            flow: new.flow.clone(),
            order: new.order,
            reach: new.reach,
            record: new.record,
            label: new.label.clone(),
        };
        let was = self.number(&new.number).await?;
        let act = self.act("number.put", value, was.as_ref(), Some(&route))?;
        let put = async || -> Result<(), StoreError> {
            in_transaction!(self.store.ready().await?, tx => {
            sqlx::query(
                "INSERT INTO number (tenant, kind, value, flow, place, reach, record, label) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (tenant, kind, value) \
                 DO UPDATE SET flow = excluded.flow, place = excluded.place, \
                 reach = excluded.reach, record = excluded.record, label = excluded.label",
            )
            .bind(self.key())
            .bind(kind)
            .bind(value)
            .bind(new.flow.as_str())
            .bind(i64::from(new.order))
            .bind(reach)
            .bind(new.record)
            .bind(&new.label)
            .execute(&mut *tx)
            .await?;
            put_act!(tx, act);
            });
            Ok(())
        };
        put()
            .await
            .map_err(|error| error.taken(|| format!("the number `{value}` is another tenant's")))?;
        self.store.ring();
        Ok(route)
    }

    async fn number(&self, number: &NumberMatch) -> Result<Option<NumberRoute>, StoreError> {
        let (kind, value) = columns(number);
        let row = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, NumberRow>(
                "SELECT * FROM number WHERE tenant = $1 AND kind = $2 AND value = $3",
            )
            .bind(self.key())
            .bind(kind)
            .bind(value)
            .fetch_optional(db)
            .await?
        });
        row.map(NumberRoute::try_from).transpose()
    }

    /// Exact numbers first, then patterns in their order.
    pub async fn numbers(&self) -> Result<Vec<NumberRoute>, StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, NumberRow>(
                "SELECT * FROM number WHERE tenant = $1 ORDER BY kind, place, value",
            )
            .bind(self.key())
            .fetch_all(db)
            .await?
        });
        rows.into_iter().map(NumberRoute::try_from).collect()
    }

    pub async fn remove_number(&self, number: &NumberMatch) -> Result<(), StoreError> {
        let (kind, value) = columns(number);
        let was = self.number(number).await?;
        let was = was.ok_or_else(|| StoreError::not_found("number", value))?;
        let act = self.act("number.remove", value, Some(&was), None::<&()>)?;
        in_transaction!(self.store.ready().await?, tx => {
            sqlx::query("DELETE FROM number WHERE tenant = $1 AND kind = $2 AND value = $3")
                .bind(self.key())
                .bind(kind)
                .bind(value)
                .execute(&mut *tx)
                .await?;
            put_act!(tx, act);
        });
        self.store.ring();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_whole_numbers_only() {
        let pattern = whole(r"\+1555\d{4}|100").unwrap();
        assert!(pattern.is_match("+15550123") && pattern.is_match("100"));
        assert!(!pattern.is_match("+155501234") && !pattern.is_match("1001"));
        assert!(!pattern.is_match("100\n"));
    }

    #[test]
    fn a_pattern_cannot_leave_its_parentheses_or_grow_without_end() {
        for pattern in ["a)(b", "(", "(?x)1#", &format!("{}{{1000}}", r"\d{1000}")] {
            assert!(matches!(whole(pattern), Err(StoreError::Invalid(_))), "{pattern}");
        }
    }
}
