//! Reading a policy.

use martlet_model::ContainerName;

use super::condition::Condition;
use super::pattern::{Case, Pattern, Reading};
use super::principal::Principal;
use super::statement::{Effect, Scope, Statement};
use super::{POLICY_BYTES_MAX, Policy};
use crate::action::{Action, NAMES_ELSEWHERE};
use crate::identity::CanonicalId;
use crate::json::Json;

const ARN: &str = "arn:aws:s3:::";
const VERSION_WITH_VARIABLES: &str = "2012-10-17";
const VERSION_WITHOUT_VARIABLES: &str = "2008-10-17";

/// Why a text is no policy for a bucket. S3: `MalformedPolicy`, with this text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedPolicy {
    #[error("Policy exceeds the maximum of {POLICY_BYTES_MAX} bytes")]
    TooLong,
    #[error("This policy contains invalid Json: {0}")]
    NotJson(String),
    #[error("Policies must be JSON objects")]
    NotAnObject,
    #[error("Unknown field {0}")]
    UnknownField(String),
    #[error("Missing required field {0}")]
    MissingField(&'static str),
    #[error("{0} and {1} can't stand in one statement")]
    BothOf(&'static str, &'static str),
    #[error("The policy must contain a valid version string")]
    InvalidVersion,
    #[error("{0} must be a text or a list of texts")]
    NotText(&'static str),
    #[error("Invalid effect: {0}")]
    InvalidEffect(String),
    #[error("Invalid principal in policy: {0}")]
    InvalidPrincipal(String),
    #[error("Allow with NotPrincipal is not allowed")]
    NotPrincipalAllows,
    #[error("Policy has invalid action: {0}")]
    InvalidAction(String),
    #[error("Policy has invalid resource: {0}")]
    InvalidResource(String),
    #[error("Invalid Condition type: {0}")]
    UnknownOperator(String),
    #[error("Policy has an invalid condition key: {0}")]
    UnknownKey(String),
    #[error("Policy has an invalid condition value: {0}")]
    BadValue(String),
    #[error("Policy has an invalid variable: {0}")]
    BadVariable(String),
}

type Result<T> = std::result::Result<T, MalformedPolicy>;

pub(super) fn policy(json: &[u8], bucket: &ContainerName) -> Result<Policy> {
    if json.len() > POLICY_BYTES_MAX {
        return Err(MalformedPolicy::TooLong);
    }
    let json = Json::parse(json).map_err(|error| MalformedPolicy::NotJson(error.to_string()))?;
    let mut fields = Fields::of(&json)?;
    let variables = match fields.take("Version").map(Json::text) {
        Some(Some(VERSION_WITH_VARIABLES)) => true,
        None | Some(Some(VERSION_WITHOUT_VARIABLES)) => false,
        Some(_) => return Err(MalformedPolicy::InvalidVersion),
    };
    if fields.take("Id").is_some_and(|id| id.text().is_none()) {
        return Err(MalformedPolicy::NotText("Id"));
    }
    let statements = fields.take("Statement").ok_or(MalformedPolicy::MissingField("Statement"))?;
    fields.end()?;
    let reader = Reader { bucket, variables };
    let statements =
        statements.one_or_many().iter().map(|json| reader.statement(json)).collect::<Result<Vec<_>>>()?;
    if statements.is_empty() {
        return Err(MalformedPolicy::MissingField("Statement"));
    }
    Ok(Policy { statements })
}

/// The members of an object that haven't been read yet.
struct Fields<'a>(Vec<(&'a str, &'a Json)>);

impl<'a> Fields<'a> {
    fn of(json: &'a Json) -> Result<Self> {
        let Json::Object(members) = json else { return Err(MalformedPolicy::NotAnObject) };
        Ok(Self(members.iter().map(|(name, value)| (name.as_str(), value)).collect()))
    }

    fn take(&mut self, name: &str) -> Option<&'a Json> {
        let at = self.0.iter().position(|(other, _)| *other == name)?;
        Some(self.0.swap_remove(at).1)
    }

    /// One of two that exclude each other, and whether it is the second.
    fn take_either(&mut self, name: &'static str, not: &'static str) -> Result<(&'a Json, bool)> {
        match (self.take(name), self.take(not)) {
            (Some(value), None) => Ok((value, false)),
            (None, Some(value)) => Ok((value, true)),
            (Some(_), Some(_)) => Err(MalformedPolicy::BothOf(name, not)),
            (None, None) => Err(MalformedPolicy::MissingField(name)),
        }
    }

    fn end(self) -> Result<()> {
        match self.0.first() {
            Some((name, _)) => Err(MalformedPolicy::UnknownField((*name).to_owned())),
            None => Ok(()),
        }
    }
}

/// What has to be known of the policy to read a statement.
struct Reader<'a> {
    bucket: &'a ContainerName,
    variables: bool,
}

impl Reader<'_> {
    fn statement(&self, json: &Json) -> Result<Statement> {
        let mut fields = Fields::of(json)?;
        if fields.take("Sid").is_some_and(|sid| sid.text().is_none()) {
            return Err(MalformedPolicy::NotText("Sid"));
        }
        let effect = match fields.take("Effect").ok_or(MalformedPolicy::MissingField("Effect"))?.text() {
            Some("Allow") => Effect::Allow,
            Some("Deny") => Effect::Deny,
            other => return Err(MalformedPolicy::InvalidEffect(other.unwrap_or_default().to_owned())),
        };
        let (principals, all_but) = fields.take_either("Principal", "NotPrincipal")?;
        if all_but && effect == Effect::Allow {
            return Err(MalformedPolicy::NotPrincipalAllows);
        }
        let principals = scope(principal_list(principals)?, all_but);
        let (actions, all_but) = fields.take_either("Action", "NotAction")?;
        let actions = actions_meant(&texts("Action", actions)?, all_but)?;
        let (resources, all_but) = fields.take_either("Resource", "NotResource")?;
        let resources = texts("Resource", resources)?;
        let resources = resources.iter().map(|resource| self.resource(resource)).collect::<Result<_>>()?;
        let conditions = fields.take("Condition").map_or(Ok(Vec::new()), |json| self.conditions(json))?;
        fields.end()?;
        Ok(Statement { effect, principals, actions, resources: scope(resources, all_but), conditions })
    }

    /// A resource of the bucket: the part up to a slash must fit the bucket's name.
    fn resource(&self, text: &str) -> Result<Pattern> {
        let invalid = || MalformedPolicy::InvalidResource(text.to_owned());
        let path = if text == "*" { text } else { text.strip_prefix(ARN).ok_or_else(invalid)? };
        let reading = Reading { wildcards: true, variables: self.variables };
        let bucket = path.split_once('/').map_or(path, |(bucket, _)| bucket);
        let is_ours = Pattern::parse(bucket, Reading { wildcards: true, variables: false })?.fits(
            self.bucket.as_str(),
            Case::Counts,
            |_| None,
        );
        if is_ours { Pattern::parse(path, reading) } else { Err(invalid()) }
    }

    fn conditions(&self, json: &Json) -> Result<Vec<Condition>> {
        let Json::Object(operators) = json else { return Err(MalformedPolicy::NotAnObject) };
        let mut conditions = Vec::new();
        for (operator, keys) in operators {
            let Json::Object(keys) = keys else { return Err(MalformedPolicy::NotAnObject) };
            for (key, values) in keys {
                let scalars: Option<Vec<_>> = values.one_or_many().iter().map(Json::scalar).collect();
                let values = scalars.filter(|values| !values.is_empty());
                let values = values.ok_or_else(|| MalformedPolicy::BadValue(key.clone()))?;
                conditions.push(Condition::parse(operator, key, &values, self.variables)?);
            }
        }
        Ok(conditions)
    }
}

fn scope<T>(list: Vec<T>, all_but: bool) -> Scope<T> {
    if all_but { Scope::AllBut(list) } else { Scope::These(list) }
}

fn principal_list(json: &Json) -> Result<Vec<Principal>> {
    let invalid = |text: &str| MalformedPolicy::InvalidPrincipal(text.to_owned());
    let kinds = match json {
        Json::Text(text) if text == "*" => return Ok(vec![Principal::Everybody]),
        Json::Object(kinds) => kinds,
        other => return Err(invalid(other.text().unwrap_or_default())),
    };
    let mut principals = Vec::new();
    for (kind, names) in kinds {
        for name in texts("Principal", names)? {
            principals.push(match kind.as_str() {
                "AWS" => Principal::parse_aws(name)?,
                "CanonicalUser" if !name.is_empty() => Principal::Canonical(CanonicalId::new(name)),
                _ => return Err(invalid(&format!("{kind}: {name}"))),
            });
        }
    }
    if principals.is_empty() { Err(invalid("nobody")) } else { Ok(principals) }
}

/// All actions of ours that the names fit, or don't.
fn actions_meant(names: &[&str], all_but: bool) -> Result<Vec<Action>> {
    let mut meant = Vec::new();
    for name in names {
        let invalid = || MalformedPolicy::InvalidAction((*name).to_owned());
        let pattern = Pattern::parse(name, Reading { wildcards: true, variables: false })?;
        let fits = |other: &str| pattern.fits(other, Case::Ignored, |_| None);
        let ours: Vec<Action> = Action::ALL.iter().copied().filter(|action| fits(action.name())).collect();
        if ours.is_empty() && !NAMES_ELSEWHERE.iter().any(|other| fits(other)) {
            return Err(invalid());
        }
        meant.extend(ours);
    }
    Ok(Action::ALL.iter().copied().filter(|action| meant.contains(action) != all_but).collect())
}

fn texts<'a>(field: &'static str, json: &'a Json) -> Result<Vec<&'a str>> {
    let texts: Option<Vec<&str>> = json.one_or_many().iter().map(Json::text).collect();
    texts.filter(|texts| !texts.is_empty()).ok_or(MalformedPolicy::NotText(field))
}
