use super::settings::{Variables, connect};
use super::upload::composite;
use super::*;
use crate::failure::{Cause, Failure};

fn connect_to(url: &str, variables: &[(&str, &str)]) -> Result<String, BucketError> {
    let url = BucketUrl::parse(url).unwrap();
    connect(&url, &Limits::default(), &Variables::of(variables)).map(|store| store.to_string())
}

#[test]
fn settings_are_those_of_the_clouds_own_variables() {
    for (url, variables, shown) in [
        (
            "s3://b/x",
            vec![
                ("AWS_ACCESS_KEY_ID", "key"),
                ("AWS_SECRET_ACCESS_KEY", "s3cr3t"),
                ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
                ("AWS_ALLOW_HTTP", "true"),
                ("AWS_SERVER_SIDE_ENCRYPTION", "aws:kms"),
                ("AWS_SSE_KMS_KEY_ID", "some-key"),
                ("AWS_PAGER", "less"),
                ("AWS_BUCKET", "another"),
            ],
            "AmazonS3(b)",
        ),
        (
            "gs://b/x",
            vec![
                ("GOOGLE_SKIP_SIGNATURE", "true"),
                ("GOOGLE_BASE_URL", "https://storage.example"),
            ],
            "GoogleCloudStorage(b)",
        ),
        (
            "az://c/x",
            vec![
                ("AZURE_STORAGE_ACCOUNT", "account"),
                ("AZURE_STORAGE_KEY", "c2VjcmV0"),
            ],
            "MicrosoftAzure { account: account, container: c }",
        ),
    ] {
        assert_eq!(connect_to(url, &variables).unwrap(), shown);
    }
}

#[test]
fn a_setting_that_would_be_without_effect_or_harm_is_refused_by_its_name_and_without_its_value() {
    for (url, variable, value) in [
        ("s3://b", "AWS_ENDPOINT_URL", "http://s3cr3t"),
        ("s3://b", "AWS_ENDPOINT_URL", "https://user:s3cr3t@host"),
        ("s3://b", "AWS_ENDPOINT_URL", "s3cr3t:9000"),
        ("s3://b", "AWS_CHECKSUM_ALGORITHM", "s3cr3t"),
        ("s3://b", "AWS_TIMEOUT", "s3cr3t"),
        ("s3://b", "AWS_ALLOW_INVALID_CERTIFICATES", "s3cr3t"),
        ("s3://b", "AWS_PROFILE", "s3cr3t"),
        ("gs://b", "GOOGLE_BASE_URL", "http://s3cr3t"),
        ("az://b", "AZURE_STORAGE_ENDPOINT", "http://s3cr3t"),
        ("az://b", "AZURE_CONNECT_TIMEOUT", "s3cr3t"),
    ] {
        let error = connect_to(url, &[(variable, value)]).unwrap_err();
        assert_eq!(error.policy().cause(), Cause::Request, "{variable}");
        let message = error.to_string();
        assert!(message.contains(variable), "{message}");
        assert!(!message.contains("s3cr3t"), "{message}");
    }
}

#[test]
fn what_the_crate_says_of_settings_is_not_repeated() {
    let error = connect_to(
        "az://c",
        &[("AZURE_STORAGE_ACCESS_KEY", "no base64 s3cr3t")],
    );
    let message = error.unwrap_err().to_string();
    assert!(message.contains("docs/buckets.md"), "{message}");
    assert!(!message.contains("s3cr3t"), "{message}");
}

/// RFC 1321's own MD5s of "" and "a"; that of the two together is md5sum's.
#[test]
fn an_object_of_parts_is_called_by_the_md5_of_their_md5s() {
    let parts = [
        "d41d8cd98f00b204e9800998ecf8427e".to_owned(),
        "0cc175b9c0f1b6a831c399e269772661".to_owned(),
    ];
    assert_eq!(
        composite(&parts).unwrap(),
        "68083ea43d0307eecfa2b4749f19df15-2"
    );
}
