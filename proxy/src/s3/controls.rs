//! The two switches of a bucket's owner, as XML: the public access block and the ownership controls.

use martlet_auth::s3_acl::Acl;
use martlet_auth::{ObjectOwnership, PublicAccessBlock};
use martlet_model::{ContainerInfo, Error, Setting};

use super::refusal::{AclRefusal, Refusal};
use super::xml::{Element, Writer};

pub(super) fn read_block(document: &[u8]) -> Result<PublicAccessBlock, Refusal> {
    let root = Element::read(document, "PublicAccessBlockConfiguration")?;
    let mut block = PublicAccessBlock::default();
    for element in &root.children {
        let switch = match element.name.as_str() {
            "BlockPublicAcls" => &mut block.block_public_acls,
            "IgnorePublicAcls" => &mut block.ignore_public_acls,
            "BlockPublicPolicy" => &mut block.block_public_policy,
            "RestrictPublicBuckets" => &mut block.restrict_public_buckets,
            _ => return Err(Refusal::MalformedXml("PublicAccessBlockConfiguration has an unknown element")),
        };
        *switch = match element.word()? {
            word if word.eq_ignore_ascii_case("true") => true,
            word if word.eq_ignore_ascii_case("false") => false,
            _ => return Err(Refusal::MalformedXml("a switch is neither true nor false")),
        };
    }
    Ok(block)
}

pub(super) fn write_block(stored: &[u8]) -> Result<Writer, Refusal> {
    let block = PublicAccessBlock::decode(stored).map_err(|error| Error::Internal(error.into()))?;
    let mut xml = Writer::new("PublicAccessBlockConfiguration");
    xml.word("BlockPublicAcls", block.block_public_acls).word("IgnorePublicAcls", block.ignore_public_acls);
    xml.word("BlockPublicPolicy", block.block_public_policy);
    xml.word("RestrictPublicBuckets", block.restrict_public_buckets);
    Ok(xml)
}

pub(super) fn read_ownership(document: &[u8]) -> Result<ObjectOwnership, Refusal> {
    let root = Element::read(document, "OwnershipControls")?;
    let [rule] = &root.children[..] else {
        return Err(Refusal::MalformedXml("OwnershipControls must have one Rule"));
    };
    match &rule.children[..] {
        [ownership] if rule.name == "Rule" && ownership.name == "ObjectOwnership" => {
            let problem = Refusal::MalformedXml("there is no such ObjectOwnership");
            ObjectOwnership::parse(ownership.word()?).ok_or(problem)
        }
        _ => Err(Refusal::MalformedXml("Rule must have one ObjectOwnership")),
    }
}

pub(super) fn write_ownership(stored: &[u8]) -> Result<Writer, Refusal> {
    let ownership = ObjectOwnership::decode(stored).map_err(|error| Error::Internal(error.into()))?;
    let mut xml = Writer::new("OwnershipControls");
    xml.open("Rule").text("ObjectOwnership", ownership.as_str()).close("Rule");
    Ok(xml)
}

/// Where ACLs are to grant nothing any more, the bucket's own must grant nothing already.
pub(super) fn check_nothing_granted(info: &ContainerInfo) -> Result<(), Refusal> {
    let Some(stored) = info.settings.get(Setting::Acl) else { return Ok(()) };
    let acl = Acl::decode(stored).map_err(|error| Error::Internal(error.into()))?;
    if acl == Acl::private(acl.owner.clone()) { Ok(()) } else { Err(AclRefusal::BesideOwnership.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_are_off_unless_they_are_turned_on() {
        let document = b"<PublicAccessBlockConfiguration><IgnorePublicAcls>TRUE</IgnorePublicAcls>\
                         </PublicAccessBlockConfiguration>";
        let block = read_block(document).unwrap();
        assert_eq!(block, PublicAccessBlock { ignore_public_acls: true, ..PublicAccessBlock::default() });
        let written = write_block(&block.encode()).unwrap().finish();
        assert_eq!(read_block(written.as_bytes()).unwrap(), block);
        for inner in ["<Else>true</Else>", "<IgnorePublicAcls>1</IgnorePublicAcls>", "<IgnorePublicAcls/>"] {
            let document =
                format!("<PublicAccessBlockConfiguration>{inner}</PublicAccessBlockConfiguration>");
            assert!(matches!(read_block(document.as_bytes()), Err(Refusal::MalformedXml(_))), "{inner}");
        }
    }

    #[test]
    fn ownership_is_one_of_three() {
        for ownership in ObjectOwnership::ALL {
            let written = write_ownership(&ownership.encode()).unwrap().finish();
            assert_eq!(read_ownership(written.as_bytes()).unwrap(), ownership);
        }
        for inner in
            ["", "<Rule/>", "<Rule><ObjectOwnership>Mine</ObjectOwnership></Rule>", "<Rule><Else/></Rule>"]
        {
            let document = format!("<OwnershipControls>{inner}</OwnershipControls>");
            assert!(matches!(read_ownership(document.as_bytes()), Err(Refusal::MalformedXml(_))), "{inner}");
        }
    }
}
