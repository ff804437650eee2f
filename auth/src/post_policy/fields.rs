//! The fields of a form.

use super::PostError;

/// The most bytes that all fields of a form may have together, names and values: 20 KiB (S3).
const FIELDS_BYTES_MAX: usize = 20 * 1024;
const FILENAME: &str = "${filename}";

/// The fields that come before the file, by their names in lower case: capitals don't count in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PostFields(Vec<FormField>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormField {
    /// In lower case.
    pub name: String,
    pub value: String,
}

impl PostFields {
    /// Adds a field. None may be there twice: nobody could tell which is meant.
    pub fn add(&mut self, name: &str, value: String) -> Result<(), PostError> {
        let name = name.to_ascii_lowercase();
        if self.get(&name).is_some() {
            return Err(PostError::Malformed("a field is there twice"));
        }
        self.0.push(FormField { name, value });
        let bytes: usize = self.0.iter().map(|field| field.name.len() + field.value.len()).sum();
        if bytes > FIELDS_BYTES_MAX {
            return Err(PostError::Malformed("the fields are too long"));
        }
        Ok(())
    }

    /// Puts the name of the file where fields ask for it with `${filename}`.
    pub fn name_file(&mut self, filename: &str) {
        // Some browsers send a whole path.
        let filename = filename.rsplit(['/', '\\']).next().unwrap_or_default();
        for field in self.0.iter_mut().filter(|field| field.name != super::POLICY) {
            if field.value.contains(FILENAME) {
                field.value = field.value.replace(FILENAME, filename);
            }
        }
    }

    /// `name` is in lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|field| field.name == name).map(|field| field.value.as_str())
    }

    pub fn iter(&self) -> impl Iterator<Item = &FormField> {
        self.0.iter()
    }

    /// The key that the object is to have.
    pub fn key(&self) -> Result<&str, PostError> {
        self.require("key", "key")
    }

    pub(super) fn require(&self, name: &str, shown: &'static str) -> Result<&str, PostError> {
        self.get(name).filter(|value| !value.is_empty()).ok_or(PostError::MissingField(shown))
    }
}
