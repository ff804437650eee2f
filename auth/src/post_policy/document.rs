//! The policy in a form.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp as Date;
use martlet_model::limits::PUT_BYTES_MAX;
use martlet_model::{ContainerName, Timestamp};

use super::{LengthRange, PostError, PostFields};
use crate::json::Json;

/// The bucket is judged as if it were a field.
const BUCKET: &str = "bucket";
/// Fields that grant nothing, or belong to the signature.
const EXEMPT: [&str; 5] = ["policy", "file", "awsaccesskeyid", "signature", "x-amz-signature"];
const EXEMPT_PREFIXES: [&str; 3] = ["x-ignore-", "x-amz-checksum-", "x-amz-sdk-checksum-"];

/// What a form must be like. Whoever signed it is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostPolicy {
    expires_seconds: i64,
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    Equals { field: String, value: String },
    StartsWith { field: String, prefix: String },
    Length(LengthRange),
}

impl PostPolicy {
    /// Reads base64 of JSON.
    pub(super) fn parse(text: &str) -> Result<Self, PostError> {
        let invalid = |why: &str| PostError::InvalidPolicy(why.to_owned());
        let json = STANDARD.decode(text).map_err(|_| invalid("it is not base64"))?;
        let json = Json::parse(&json).map_err(|error| PostError::InvalidPolicy(error.to_string()))?;
        let Json::Object(members) = &json else { return Err(invalid("it is not a JSON object")) };
        let (mut expiration, mut conditions) = (None, None);
        for (name, value) in members {
            match (name.as_str(), value) {
                ("expiration", value) => expiration = value.text(),
                ("conditions", Json::List(list)) => conditions = Some(list),
                _ => {
                    return Err(PostError::InvalidPolicy(format!(
                        "{name} isn't known, or not of the right kind"
                    )));
                }
            }
        }
        let expiration = expiration.ok_or_else(|| invalid("Policy missing expiration."))?;
        let conditions = conditions.ok_or_else(|| invalid("Policy missing conditions."))?;
        Ok(Self {
            expires_seconds: seconds(expiration).ok_or_else(|| invalid("Invalid 'expiration' value"))?,
            conditions: conditions.iter().map(Condition::parse).collect::<Result<Vec<_>, _>>()?.concat(),
        })
    }

    /// Whether a form with these fields may be posted to the bucket: how many bytes its file may have.
    ///
    /// All conditions must hold, and every field must be in one. `${filename}` has been replaced.
    pub fn judge(
        &self,
        fields: &PostFields,
        bucket: &ContainerName,
        now: Timestamp,
    ) -> Result<LengthRange, PostError> {
        if i64::try_from(now.as_seconds()).is_ok_and(|now| now > self.expires_seconds) {
            return Err(PostError::Expired);
        }
        let mut length = LengthRange { bytes_min: 0, bytes_max: PUT_BYTES_MAX };
        for condition in &self.conditions {
            if let Condition::Length(range) = condition {
                length.bytes_min = length.bytes_min.max(range.bytes_min);
                length.bytes_max = length.bytes_max.min(range.bytes_max);
            } else if !condition.holds(fields, bucket) {
                return Err(PostError::ConditionFailed(condition.text()));
            }
        }
        let others = fields.iter().map(|field| field.name.as_str()).filter(|name| !is_exempt(name));
        match others.chain([BUCKET]).find(|name| !self.covers(name)) {
            Some(name) => Err(PostError::ExtraField(name.to_owned())),
            None => Ok(length),
        }
    }

    fn covers(&self, name: &str) -> bool {
        self.conditions.iter().any(|condition| condition.field() == Some(name))
    }
}

impl Condition {
    fn parse(json: &Json) -> Result<Vec<Self>, PostError> {
        let invalid = || PostError::InvalidPolicy("Invalid Condition".to_owned());
        match json {
            Json::Object(members) if !members.is_empty() => members
                .iter()
                .map(|(field, value)| {
                    let value = value.scalar().ok_or_else(invalid)?;
                    Ok(Self::Equals { field: field.to_ascii_lowercase(), value })
                })
                .collect(),
            Json::List(items) => Self::of_list(items).map(|condition| vec![condition]).ok_or_else(invalid),
            _ => Err(invalid()),
        }
    }

    fn of_list(items: &[Json]) -> Option<Self> {
        let [operator, first, second] = items else { return None };
        let (first, second) = (first.scalar()?, second.scalar()?);
        let field = || first.strip_prefix('$').map(str::to_ascii_lowercase);
        match operator.text()?.to_ascii_lowercase().as_str() {
            "eq" => Some(Self::Equals { field: field()?, value: second }),
            "starts-with" => Some(Self::StartsWith { field: field()?, prefix: second }),
            "content-length-range" => {
                let range = LengthRange { bytes_min: first.parse().ok()?, bytes_max: second.parse().ok()? };
                (range.bytes_min <= range.bytes_max).then_some(Self::Length(range))
            }
            _ => None,
        }
    }

    fn holds(&self, fields: &PostFields, bucket: &ContainerName) -> bool {
        let value = |field: &str| if field == BUCKET { Some(bucket.as_str()) } else { fields.get(field) };
        match self {
            Self::Equals { field, value: expected } => value(field) == Some(expected),
            Self::StartsWith { field, prefix } => value(field).is_some_and(|value| value.starts_with(prefix)),
            Self::Length(_) => true,
        }
    }

    fn field(&self) -> Option<&str> {
        match self {
            Self::Equals { field, .. } | Self::StartsWith { field, .. } => Some(field),
            Self::Length(_) => None,
        }
    }

    /// As AWS shows it.
    fn text(&self) -> String {
        match self {
            Self::Equals { field, value } => format!("[\"eq\", \"${field}\", \"{value}\"]"),
            Self::StartsWith { field, prefix } => format!("[\"starts-with\", \"${field}\", \"{prefix}\"]"),
            Self::Length(range) => {
                format!("[\"content-length-range\", {}, {}]", range.bytes_min, range.bytes_max)
            }
        }
    }
}

fn is_exempt(name: &str) -> bool {
    EXEMPT.contains(&name) || EXEMPT_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Reads `YYYY-MM-DDTHH:MM:SSZ`, with or without a fraction.
fn seconds(text: &str) -> Option<i64> {
    let has_form = text.as_bytes().get(10) == Some(&b'T') && text.ends_with('Z');
    has_form.then(|| text.parse::<Date>().ok()).flatten().map(Date::as_second)
}
