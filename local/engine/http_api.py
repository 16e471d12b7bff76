"""Fixes of API Gateway's HTTP APIs: routes from the template's OpenAPI body, and the events that functions receive."""

import json
from typing import Any

from ministack.services import apigateway, lambda_svc
from ministack.services.cloudformation import provisioners

from local.engine import addresses

ANY_METHOD = "x-amazon-apigateway-any-method"
INTEGRATION = "x-amazon-apigateway-integration"
AUTHORIZER = "x-amazon-apigateway-authorizer"
CORS = "x-amazon-apigateway-cors"
# What SAM writes for ``Authorizer: NONE``: an open route of an API that has a default authorizer.
OPEN = "NONE"


def install() -> None:
    _import_openapi_body()
    _shape_events_and_crashes()


def _import_openapi_body() -> None:
    """Create an API's routes, integrations and authorizers from its ``Body``.

    Stock: ``AWS::ApiGatewayV2::Api`` ignores ``Body``, which is all that ``AWS::Serverless::HttpApi`` emits, so every
    request gets 404; and it expects camel-case keys in ``CorsConfiguration``. AWS: the body is imported, and an
    update replaces what the former body had made.

    The API's id is derived from the stack's name, so that its URL is known before the stack is deployed.
    """
    stock = provisioners._RESOURCE_HANDLERS["AWS::ApiGatewayV2::Api"]

    def create(logical_id: str, properties: dict, stack_name: str) -> tuple:
        tags = {**(properties.get("Tags") or {}), "ms-custom-id": addresses.api_id(stack_name, logical_id)}
        created_id, attributes = stock["create"](logical_id, _with_camel_case_cors({**properties, "Tags": tags}), stack_name)
        try:
            _apply_body(created_id, properties)
        except Exception:
            apigateway._delete_api(created_id)  # CloudFormation does not know it yet, and so cannot roll it back
            raise
        return created_id, attributes

    def update(physical_id: str, old: dict, new: dict, stack_name: str, logical_id: str | None = None) -> tuple:
        result = stock["update"](physical_id, old, _with_camel_case_cors(new), stack_name, logical_id)
        _apply_body(result[0], new)
        return result

    provisioners._RESOURCE_HANDLERS["AWS::ApiGatewayV2::Api"] = {**stock, "create": create, "update": update}


def _with_camel_case_cors(properties: dict) -> dict:
    cors = properties.get("CorsConfiguration")
    if not isinstance(cors, dict):
        return properties
    return {**properties, "CorsConfiguration": {key[0].lower() + key[1:]: value for key, value in cors.items()}}


def _apply_body(api_id: str, properties: dict) -> None:
    body = properties.get("Body")
    if not isinstance(body, dict):
        return
    for store in (apigateway._routes, apigateway._integrations, apigateway._authorizers):
        store[api_id] = {}
    if body.get(CORS):
        apigateway._apis[api_id]["corsConfiguration"] = body[CORS]
    schemes = (body.get("components") or {}).get("securitySchemes") or {}
    authorizers = {
        name: _create_jwt_authorizer(api_id, name, scheme[AUTHORIZER]) for name, scheme in schemes.items() if AUTHORIZER in scheme
    }
    for path, methods in (body.get("paths") or {}).items():
        for method, operation in methods.items():
            if isinstance(operation, dict) and INTEGRATION in operation:
                security = operation["security"] if "security" in operation else body.get("security")
                _create_route(api_id, method, path, operation[INTEGRATION], security or [], authorizers)


def _create_jwt_authorizer(api_id: str, name: str, definition: dict) -> str:
    if definition.get("type") != "jwt":
        raise ValueError(f"The local engine imports JWT authorizers only; {name!r} is of another type")
    jwt = definition.get("jwtConfiguration") or {}
    source = definition.get("identitySource") or []
    created = _accepted(
        apigateway._create_authorizer(
            api_id,
            {
                "name": name,
                "authorizerType": "JWT",
                "identitySource": [source] if isinstance(source, str) else source,
                "jwtConfiguration": {"audience": jwt.get("audience") or [], "issuer": jwt.get("issuer", "")},
            },
        )
    )
    return created["authorizerId"]


def _create_route(
    api_id: str, method: str, path: str, definition: dict, security: list[dict], authorizers: dict[str, str]
) -> None:
    integration = _accepted(
        apigateway._create_integration(
            api_id,
            {
                "integrationType": str(definition.get("type", "aws_proxy")).upper(),
                "integrationUri": definition.get("uri", ""),
                "integrationMethod": definition.get("httpMethod", "POST"),
                "payloadFormatVersion": str(definition.get("payloadFormatVersion", "2.0")),
                "timeoutInMillis": definition.get("timeoutInMillis", 30_000),
            },
        )
    )
    verb = "ANY" if method.lower() == ANY_METHOD else method.upper()
    route: dict[str, Any] = {
        "routeKey": "$default" if path.strip("/") == "$default" else f"{verb} {path}",
        "target": f"integrations/{integration['integrationId']}",
        "authorizationType": "NONE",
    }
    for requirement in security:
        for name, scopes in requirement.items():
            if name == OPEN:
                continue
            if name not in authorizers:
                # Leaving the route open instead would hide a mistake in the template.
                raise ValueError(f"{verb} {path} names the security scheme {name!r}, which the API does not define")
            route |= {"authorizationType": "JWT", "authorizerId": authorizers[name]}
            if scopes:
                route["authorizationScopes"] = list(scopes)
    _accepted(apigateway._create_route(api_id, route))


def _accepted(response: tuple) -> dict:
    status, _, body = response
    if status >= 400:
        raise ValueError(f"Importing the HTTP API's body failed: {body!r}")
    return json.loads(body)


def _shape_events_and_crashes() -> None:
    """Give functions the event, and clients the crash response, of AWS's payload format 2.0.

    Stock: cookies stay in ``headers``, there are no ``x-forwarded-*`` headers, ``pathParameters`` is null when there
    are none, and a function that raises answers 502 with the error's text. AWS: cookies move to the ``cookies`` list,
    the forwarding headers are set, an empty ``pathParameters`` is absent, and a crash answers 500 without details.
    """
    stock = lambda_svc._execute_function_with_config_scope

    def execute(func: dict, event: Any) -> dict:
        if not _is_http_event(event):
            return stock(func, event)
        headers = event["headers"]
        cookies = headers.pop("cookie", None)
        if cookies:
            event["cookies"] = [cookie.strip() for cookie in cookies.split(";")]
        headers.setdefault("x-forwarded-for", event["requestContext"]["http"]["sourceIp"])
        headers.setdefault("x-forwarded-proto", "https")
        if not event.get("pathParameters"):
            event.pop("pathParameters", None)
        result = stock(func, event)
        if result.get("error") and not result.get("throttle"):
            answer = {
                "statusCode": 500,
                "headers": {"Content-Type": "application/json"},
                "body": '{"message":"Internal Server Error"}',
            }
            return {"body": answer, "log": result.get("log", "")}
        return result

    lambda_svc._execute_function_with_config_scope = execute


def _is_http_event(event: Any) -> bool:
    return isinstance(event, dict) and event.get("version") == "2.0" and "routeKey" in event
