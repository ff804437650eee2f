//! Query parameters by allow-list: what no operation has taken is refused.

use martlet_auth::{Parameter, sigv2, sigv4};

use super::refusal::Refusal;

/// The parameters that nobody has taken yet.
#[derive(Debug)]
pub(super) struct Query<'a>(Vec<Parameter<'a>>);

impl<'a> Query<'a> {
    /// `x-id` only repeats the operation's name for people who read logs; it is gone from the start.
    /// So is what belongs to a signature: whoever identifies the caller judges it.
    pub(super) fn new(mut parameters: Vec<Parameter<'a>>) -> Self {
        parameters.retain(|parameter| {
            let name = &*parameter.name;
            name != b"x-id" && !sigv4::is_of_signature(name) && !sigv2::is_of_signature(name)
        });
        Self(parameters)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|parameter| *parameter.name == *name.as_bytes())
    }

    /// Takes a parameter; one that is there twice has no meaning.
    pub(super) fn take(&mut self, name: &'static str) -> Result<Option<String>, Refusal> {
        let Some(at) = self.0.iter().position(|parameter| *parameter.name == *name.as_bytes()) else {
            return Ok(None);
        };
        let value = self.0.remove(at).value.into_owned();
        if self.has(name) {
            return Err(Refusal::argument(name, "it is there more than once"));
        }
        let text = String::from_utf8(value).map_err(|_| Refusal::argument(name, "it is not valid UTF-8"))?;
        Ok(Some(text))
    }

    /// Takes a parameter that is empty when it isn't there.
    pub(super) fn take_text(&mut self, name: &'static str) -> Result<String, Refusal> {
        Ok(self.take(name)?.unwrap_or_default())
    }

    /// Takes the count of a page: `count_max` at most, and also where nothing is said.
    pub(super) fn take_count(&mut self, name: &'static str, count_max: usize) -> Result<usize, Refusal> {
        match self.take(name)? {
            None => Ok(count_max),
            Some(text) if text.is_empty() => Ok(count_max),
            Some(text) => match text.parse::<i32>().ok().and_then(|count| usize::try_from(count).ok()) {
                Some(count) => Ok(count.min(count_max)),
                None => Err(Refusal::argument(name, "it is not a number from 0 to 2147483647")),
            },
        }
    }

    /// Takes a flag whose presence chooses an operation.
    pub(super) fn take_flag(&mut self, name: &'static str) -> Result<bool, Refusal> {
        Ok(self.take(name)?.is_some())
    }

    /// Refuses whatever is left: it would have had a meaning.
    pub(super) fn check_nothing_left(&self) -> Result<(), Refusal> {
        match self.0.first() {
            None => Ok(()),
            Some(parameter) => {
                let name = String::from_utf8_lossy(&parameter.name);
                Err(Refusal::NotOffered(format!("the query parameter {name}")))
            }
        }
    }
}
