"""A Flask app as one HTTPS function, with firebase_admin and google-cloud-firestore, as the documentation puts it."""

from http import HTTPStatus
from typing import Any

import firebase_admin
from firebase_admin import auth
from firebase_functions import https_fn
from flask import Flask, Response, g, request
from orders import ApiError, bp, failure, success
from pydantic import ValidationError

firebase_admin.initialize_app()
app = Flask(__name__)
app.register_blueprint(bp)


@app.before_request
def authenticate() -> None:
    if request.path == "/health":
        return
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or not token:
        raise ApiError(401, "TOKEN_MISSING", "Send a Firebase ID token.")
    try:
        g.uid = auth.verify_id_token(token, clock_skew_seconds=10)["uid"]
    except auth.ExpiredIdTokenError as error:
        raise ApiError(401, "TOKEN_EXPIRED", "The ID token has expired.") from error
    except (auth.InvalidIdTokenError, ValueError) as error:
        raise ApiError(401, "TOKEN_INVALID", "The ID token is not valid.") from error


@app.get("/health")
def health() -> Any:
    return success({"status": "ok"})


@app.errorhandler(ApiError)
def known(error: ApiError) -> Any:
    return failure(error.status, error.code, str(error), error.errors)


@app.errorhandler(ValidationError)
def invalid(error: ValidationError) -> Any:
    if any(e["type"] == "json_invalid" for e in error.errors()):
        return failure(400, "INVALID_JSON", "The body is not JSON.")
    errors = [
        {"field": ".".join(map(str, e["loc"])), "code": e["type"].upper(), "message": e["msg"]} for e in error.errors()
    ]
    return failure(400, "VALIDATION_FAILED", "The request has fields that are missing or wrong.", errors)


@app.errorhandler(HTTPStatus.NOT_FOUND)
def missing(_: Exception) -> Any:
    return failure(404, "ROUTE_NOT_FOUND", f"There is nothing at {request.path}.")


@app.errorhandler(HTTPStatus.INTERNAL_SERVER_ERROR)
def broken(error: Exception) -> Any:
    app.logger.error("unexpected", exc_info=error)
    return failure(500, "INTERNAL", "Something went wrong.")


@https_fn.on_request()
def api(req: https_fn.Request) -> Response:
    with app.request_context(req.environ):
        return app.full_dispatch_request()
