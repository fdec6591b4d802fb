"""An AWS Lambda function that keeps events of Zoom, each once.

On AWS the table is DynamoDB with a conditional write; here it is a file, so that it runs anywhere.
The handler is `handler.handler`.
"""

import json
import os
import sqlite3
from contextlib import closing

from paraph.integrations.aws_lambda import lambda_webhook
from paraph.webhooks import Received, Webhooks

DATABASE = os.environ.get("EVENTS_DATABASE", "events.db")
webhooks = Webhooks(secret=os.environ["ZOOM_SECRET_TOKEN"])


@lambda_webhook(webhooks)
def handler(received: Received) -> None:
    # boto3: table.put_item(Item=…, ConditionExpression="attribute_not_exists(event_id)")
    with closing(sqlite3.connect(DATABASE, timeout=10)) as db, db:
        db.execute("CREATE TABLE IF NOT EXISTS events (event_id TEXT PRIMARY KEY, name, event)")
        row = [received.event_id, received.name, json.dumps(received.event)]
        db.execute("INSERT OR IGNORE INTO events VALUES (?, ?, ?)", row)
