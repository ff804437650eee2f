//! What a bucket says of itself beyond its name, and what it answers where nothing can be said.

use crate::harness::Server;

#[tokio::test]
async fn what_is_never_configured_is_answered_as_not_configured() {
    let server = Server::with_box().await;
    for (name, code) in [
        ("website", "NoSuchWebsiteConfiguration"),
        ("replication", "ReplicationConfigurationNotFoundError"),
        ("object-lock", "ObjectLockConfigurationNotFoundError"),
        ("encryption", "ServerSideEncryptionConfigurationNotFoundError"),
        ("lifecycle", "NoSuchLifecycleConfiguration"),
        ("analytics&id=x", "NoSuchConfiguration"),
        ("inventory&id=x", "NoSuchConfiguration"),
        ("metrics&id=x", "NoSuchConfiguration"),
        ("intelligent-tiering&id=x", "NoSuchConfiguration"),
        ("cors", "NoSuchCORSConfiguration"),
        ("policy", "NoSuchBucketPolicy"),
        ("tagging", "NoSuchTagSet"),
        ("publicAccessBlock", "NoSuchPublicAccessBlockConfiguration"),
        ("ownershipControls", "OwnershipControlsNotFoundError"),
    ] {
        server.get(&format!("/box?{name}")).await.refused(404, code);
        server.get(&format!("/nobox?{name}")).await.refused(404, "NoSuchBucket");
        server.call("GET", &format!("/box?{name}")).by("other").send().await.refused(403, "AccessDenied");
    }
    for (name, root) in [
        ("logging", "BucketLoggingStatus"),
        ("notification", "NotificationConfiguration"),
        ("accelerate", "AccelerateConfiguration"),
        ("requestPayment", "RequestPaymentConfiguration"),
        ("analytics", "ListBucketAnalyticsConfigurationResult"),
        ("inventory", "ListInventoryConfigurationsResult"),
        ("metrics", "ListMetricsConfigurationsResult"),
        ("intelligent-tiering", "ListBucketIntelligentTieringConfigurationsOutput"),
    ] {
        let answer = server.get(&format!("/box?{name}")).await.expect(200);
        assert!(answer.text().contains(&format!("<{root} xmlns=")), "{}", answer.text());
    }
    assert_eq!(server.get("/box?requestPayment").await.element("Payer").as_deref(), Some("BucketOwner"));
    assert_eq!(server.get("/box?metrics").await.element("IsTruncated").as_deref(), Some("false"));
    assert_eq!(server.get("/box?policyStatus").await.element("IsPublic").as_deref(), Some("false"));
}

#[tokio::test]
async fn what_can_not_be_configured_is_refused_by_name() {
    let server = Server::with_box().await;
    for name in [
        "logging",
        "website",
        "notification",
        "accelerate",
        "replication",
        "object-lock",
        "encryption",
        "lifecycle",
        "analytics&id=x",
        "inventory&id=x",
        "metrics&id=x",
        "intelligent-tiering&id=x",
    ] {
        for method in ["PUT", "DELETE", "POST"] {
            server.call(method, &format!("/box?{name}")).send().await.refused(501, "NotImplemented");
        }
    }
    for name in ["cors", "policy", "publicAccessBlock", "ownershipControls", "policyStatus"] {
        server.call("POST", &format!("/box?{name}")).send().await.refused(501, "NotImplemented");
    }
    server.call("DELETE", "/box?requestPayment").send().await.refused(501, "NotImplemented");
    server.call("HEAD", "/box").send().await.expect(200);
}

#[tokio::test]
async fn only_the_owner_pays() {
    let server = Server::with_box().await;
    let payer = |payer: &str| {
        format!("<RequestPaymentConfiguration><Payer>{payer}</Payer></RequestPaymentConfiguration>")
    };
    server.put("/box?requestPayment", payer("BucketOwner")).await.expect(200);
    server.put("/box?requestPayment", payer("Requester")).await.refused(501, "NotImplemented");
    let other = server.call("PUT", "/box?requestPayment").by("other").body(payer("BucketOwner"));
    other.send().await.refused(403, "AccessDenied");
}

#[tokio::test]
async fn documents_are_kept_shown_and_removed() {
    let server = Server::with_box().await;
    for (name, missing, document, shown) in [
        (
            "publicAccessBlock",
            "NoSuchPublicAccessBlockConfiguration",
            "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls>\
             </PublicAccessBlockConfiguration>",
            "<BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>false</IgnorePublicAcls>",
        ),
        (
            "ownershipControls",
            "OwnershipControlsNotFoundError",
            "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerPreferred</ObjectOwnership></Rule>\
             </OwnershipControls>",
            "<Rule><ObjectOwnership>BucketOwnerPreferred</ObjectOwnership></Rule>",
        ),
        (
            "cors",
            "NoSuchCORSConfiguration",
            "<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod>\
             <AllowedOrigin>*</AllowedOrigin></CORSRule></CORSConfiguration>",
            "<AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin>",
        ),
    ] {
        let target = format!("/box?{name}");
        server.put(&target, "<Else/>").await.refused(400, "MalformedXML");
        server.put(&target, document).await.expect(200);
        let answer = server.get(&target).await.expect(200).text();
        assert!(answer.contains(shown), "{answer}");
        for method in ["GET", "PUT", "DELETE"] {
            let call = server.call(method, &target).by("other").body(document);
            call.send().await.refused(403, "AccessDenied");
        }
        server.call("DELETE", &target).send().await.expect(204);
        server.get(&target).await.refused(404, missing);
        server.call("DELETE", &target).send().await.expect(204);
        server.put(&format!("/nobox?{name}"), document).await.refused(404, "NoSuchBucket");
    }
}

#[tokio::test]
async fn a_damaged_document_is_not_stored() {
    let server = Server::with_box().await;
    let put = server.call("PUT", "/box?ownershipControls").header("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==");
    let document = "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule>\
                    </OwnershipControls>";
    put.body(document).send().await.refused(400, "BadDigest");
    server.put("/box?cors", "x".repeat(64 * 1024 + 1)).await.refused(400, "EntityTooLarge");
    server.get("/box?ownershipControls").await.refused(404, "OwnershipControlsNotFoundError");
}

#[tokio::test]
async fn a_policy_is_kept_to_the_byte() {
    let server = Server::with_box().await;
    let policy = "{\"Version\": \"2012-10-17\", \"Statement\": {\"Effect\": \"Allow\", \"Principal\": \"*\",\n \
                  \"Action\": \"s3:GetObject\", \"Resource\": \"arn:aws:s3:::box/*\"}}";
    server.put("/box?policy", "{}").await.refused(400, "MalformedPolicy");
    server.put("/box?policy", policy.replace("box", "tin")).await.refused(400, "MalformedPolicy");
    server.put("/box?policy", policy).await.expect(204);
    let shown = server.get("/box?policy").await.expect(200);
    assert_eq!(shown.header("content-type"), Some("application/json"));
    assert_eq!(shown.text(), policy);
    assert_eq!(server.get("/box?policyStatus").await.element("IsPublic").as_deref(), Some("true"));
    server.call("DELETE", "/box?policy").send().await.expect(204);
    server.get("/box?policy").await.refused(404, "NoSuchBucketPolicy");
}

#[tokio::test]
async fn a_bucket_has_tags() {
    let server = Server::with_box().await;
    let tags = |count: usize| {
        let tags: Vec<_> =
            (0..count).map(|at| format!("<Tag><Key>k{at}</Key><Value>v{at}</Value></Tag>")).collect();
        format!("<Tagging><TagSet>{}</TagSet></Tagging>", tags.concat())
    };
    server.put("/box?tagging", tags(50)).await.expect(204);
    assert_eq!(server.get("/box?tagging").await.expect(200).elements("Key").len(), 50);
    server.put("/box?tagging", tags(51)).await.refused(400, "InvalidTag");
    server.call("DELETE", "/box?tagging").send().await.expect(204);
    server.get("/box?tagging").await.refused(404, "NoSuchTagSet");
}
