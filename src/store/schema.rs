//! The tables, in the order of the migrations.

diesel::table! {
    teamspaces (id) {
        id -> Text,
        slug -> Text,
        name -> Text,
        plan -> Text,
        member_limit -> Nullable<BigInt>,
        created_at -> BigInt,
        seats_used -> BigInt,
        time_zone -> Text,
    }
}

diesel::table! {
    email_domains (domain) {
        domain -> Text,
        teamspace_id -> Text,
    }
}

diesel::table! {
    identity_providers (id) {
        id -> Text,
        teamspace_id -> Text,
        name -> Text,
        kind -> Text,
        issuer -> Text,
        tenant -> Nullable<Text>,
        jwks_uri -> Text,
        scope -> Text,
        groups_claim -> Text,
        custom_claims -> Text,
        enabled -> Bool,
        created_at -> BigInt,
        updated_at -> BigInt,
        logout_client_id -> Nullable<Text>,
        saml_issuer -> Nullable<Text>,
        link_by -> Nullable<Text>,
    }
}

diesel::table! {
    resources (id) {
        id -> Text,
        identifier -> Text,
        normalized -> Text,
        name -> Text,
        scopes -> Text,
        default_scopes -> Text,
        teamspaces -> Nullable<Text>,
        created_at -> BigInt,
        required_scopes -> Text,
        forward_auth_credentials -> Bool,
        tool_policies -> Bool,
        dpop_bound_access_tokens -> Bool,
    }
}

diesel::table! {
    clients (client_id) {
        client_id -> Text,
        client_name -> Text,
        token_endpoint_auth_method -> Text,
        grant_types -> Text,
        client_groups -> Text,
        enabled -> Bool,
        created_at -> BigInt,
        jwks -> Nullable<Text>,
        jwks_uri -> Nullable<Text>,
        dpop_bound_access_tokens -> Bool,
    }
}

diesel::table! {
    client_secrets (id) {
        id -> Text,
        client_id -> Text,
        secret_digest -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    members (id) {
        id -> Text,
        teamspace_id -> Text,
        email -> Text,
        role -> Text,
        status -> Text,
        provisioned_by -> Text,
        created_at -> BigInt,
        last_sign_in_at -> Nullable<BigInt>,
        sessions_ended_at -> Nullable<BigInt>,
        first_sign_in_at -> Nullable<BigInt>,
        link -> Nullable<Text>,
    }
}

diesel::table! {
    identities (teamspace_id, issuer, tenant, subject) {
        teamspace_id -> Text,
        issuer -> Text,
        tenant -> Text,
        subject -> Text,
        member_id -> Text,
    }
}

diesel::table! {
    used_assertions (assertion) {
        assertion -> Text,
        expires_at -> BigInt,
    }
}

diesel::table! {
    sign_ins (id) {
        id -> BigInt,
        at -> BigInt,
        teamspace_id -> Nullable<Text>,
        outcome -> Text,
        reason -> Text,
        detail -> Text,
        request_id -> Text,
        client_id -> Text,
        issuer -> Text,
        subject -> Text,
        email -> Text,
        member_id -> Text,
        resource -> Text,
        scopes_asked -> Text,
        scopes_granted -> Text,
        decisions -> Text,
        policy_set -> Text,
        assertion -> Text,
        token_id -> Text,
        facts -> Text,
        grounds -> Text,
        repeated -> BigInt,
        identity_provider_id -> Text,
    }
}

diesel::table! {
    sign_in_grounds (digest) {
        digest -> Text,
        decisions -> Text,
        facts -> Text,
        used_at -> BigInt,
    }
}

diesel::table! {
    signing_keys (kid) {
        kid -> Text,
        alg -> Text,
        private_key -> Text,
        encrypted -> Bool,
        public_jwk -> Text,
        created_at -> BigInt,
        signs_from -> BigInt,
        number -> BigInt,
    }
}

diesel::table! {
    admin_tokens (id) {
        id -> Text,
        name -> Text,
        token_digest -> Text,
        teamspace_id -> Nullable<Text>,
        created_at -> BigInt,
        expires_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    admin_events (id) {
        id -> BigInt,
        at -> BigInt,
        actor -> Text,
        action -> Text,
        object -> Text,
        teamspace_id -> Nullable<Text>,
        request_id -> Text,
        old_value -> Nullable<Text>,
        new_value -> Nullable<Text>,
        actor_kind -> Text,
        actor_id -> Text,
        address -> Text,
    }
}

diesel::table! {
    log_seals (log, number) {
        log -> Text,
        number -> BigInt,
        format -> BigInt,
        last_id -> BigInt,
        row_count -> BigInt,
        newest_at -> BigInt,
        sealed_at -> BigInt,
        digest -> Text,
        key_id -> Text,
        code -> Text,
        pruned_before -> Nullable<BigInt>,
    }
}

diesel::table! {
    generation (id) {
        id -> BigInt,
        value -> BigInt,
        tag -> BigInt,
        sweep_horizon -> BigInt,
        issued_from -> BigInt,
    }
}

diesel::table! {
    policy_sets (hash) {
        hash -> Text,
        content -> Text,
        first_loaded_at -> BigInt,
        last_in_force_at -> BigInt,
    }
}

diesel::table! {
    shadow_differences (id) {
        id -> BigInt,
        at -> BigInt,
        request_id -> Text,
        teamspace_id -> Nullable<Text>,
        policy_set -> Text,
        shadow_set -> Text,
        actual -> Text,
        shadow -> Text,
        policies -> Text,
        facts -> Text,
    }
}

diesel::table! {
    shadow_runs (shadow_set, policy_set) {
        shadow_set -> Text,
        policy_set -> Text,
        since -> BigInt,
        until -> BigInt,
        evaluated -> BigInt,
        different -> BigInt,
        dropped -> BigInt,
    }
}

diesel::table! {
    changes (generation) {
        generation -> BigInt,
        kind -> Text,
        object -> Text,
        at -> BigInt,
        follows -> BigInt,
    }
}

diesel::table! {
    replicas (id) {
        id -> Text,
        name -> Text,
        version -> Text,
        policy_set -> Text,
        started_at -> BigInt,
        seen_at -> BigInt,
    }
}

diesel::table! {
    log_streams (name) {
        name -> Text,
        last_id -> BigInt,
        updated_at -> BigInt,
        holder -> Text,
        held_until -> BigInt,
    }
}

diesel::table! {
    provider_checks (provider_id) {
        provider_id -> Text,
        at -> BigInt,
        steps -> Text,
    }
}

diesel::table! {
    sign_in_counts (teamspace_id, day, reason) {
        teamspace_id -> Text,
        // Named when hours were counted. Processes of that version may still run beside this one.
        #[sql_name = "hour"]
        day -> BigInt,
        reason -> Text,
        number -> BigInt,
    }
}

diesel::table! {
    member_exchanges (month, member_id, client_id) {
        month -> BigInt,
        member_id -> Text,
        client_id -> Text,
        number -> BigInt,
    }
}

diesel::table! {
    last_assertions (identity_provider_id) {
        identity_provider_id -> Text,
        at -> BigInt,
        reason -> Text,
        request_id -> Text,
        granted_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    policy_counts (day, policy) {
        day -> BigInt,
        policy -> Text,
        allowed -> BigInt,
        refused -> BigInt,
    }
}

diesel::table! {
    console_sessions (id) {
        id -> Text,
        digest -> Text,
        kind -> Text,
        email -> Text,
        name -> Text,
        teamspace_id -> Nullable<Text>,
        link_id -> Text,
        address -> Text,
        created_at -> BigInt,
        seen_at -> BigInt,
        expires_at -> BigInt,
        user_groups -> Text,
        browser -> Text,
    }
}

diesel::table! {
    console_finished_sign_ins (digest) {
        digest -> Text,
        expires_at -> BigInt,
    }
}

diesel::table! {
    console_setup_tokens (digest) {
        digest -> Text,
        created_at -> BigInt,
        expires_at -> BigInt,
        used_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    setup_links (id) {
        id -> Text,
        digest -> Text,
        teamspace_id -> Text,
        created_by -> Text,
        created_at -> BigInt,
        expires_at -> BigInt,
        used_at -> Nullable<BigInt>,
        used_from -> Text,
        revoked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    revocations (position) {
        position -> BigInt,
        tag -> BigInt,
        kind -> Text,
        object -> Text,
        name -> Text,
        teamspace_id -> Nullable<Text>,
        resource_id -> Nullable<Text>,
        issued_until -> BigInt,
        at -> BigInt,
        cause -> Text,
        request_id -> Text,
    }
}

diesel::table! {
    token_uses (token_id) {
        token_id -> Text,
        introspections -> BigInt,
        forward_auths -> BigInt,
        first_used_at -> BigInt,
        last_used_at -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::table! {
    resource_credentials (client_id) {
        client_id -> Text,
        resource_id -> Text,
        secret_digest -> Text,
        created_at -> BigInt,
        jwks -> Nullable<Text>,
        jwks_uri -> Nullable<Text>,
    }
}

diesel::table! {
    kill_switches (id) {
        id -> Text,
        scope -> Text,
        object -> Text,
        reason -> Text,
        created_by -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    scim_tokens (id) {
        id -> Text,
        teamspace_id -> Text,
        name -> Text,
        token_digest -> Text,
        created_at -> BigInt,
        expires_at -> Nullable<BigInt>,
        last_used_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    scim_users (member_id) {
        member_id -> Text,
        teamspace_id -> Text,
        user_name -> Text,
        external_id -> Nullable<Text>,
        profile -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
        deactivated -> Bool,
    }
}

diesel::table! {
    issuer_keys (issuer) {
        issuer -> Text,
        jwks_uri -> Text,
        keys -> Text,
        fetched_at -> BigInt,
        max_age -> BigInt,
    }
}

diesel::table! {
    trust_changes (provider_id, number) {
        provider_id -> Text,
        number -> BigInt,
        at -> BigInt,
        kind -> Text,
        actor -> Text,
        request_id -> Text,
        old_value -> Nullable<Text>,
        new_value -> Nullable<Text>,
    }
}

diesel::joinable!(identities -> members (member_id));
diesel::allow_tables_to_appear_in_same_query!(identities, members);
diesel::allow_tables_to_appear_in_same_query!(identity_providers, issuer_keys);
diesel::allow_tables_to_appear_in_same_query!(sign_ins, teamspaces);
