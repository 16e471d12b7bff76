"""Fix of Secrets Manager: generated secrets without punctuation."""

import string

from ministack.services.cloudformation import provisioners


def install() -> None:
    """Obey ``ExcludePunctuation`` of ``GenerateSecretString``.

    Stock: it is ignored in templates. AWS: the secret has letters and digits only, and so can stand in a header or an
    URL.
    """
    stock = provisioners._sm_secret_string

    def secret_string(properties: dict) -> str:
        rules = properties.get("GenerateSecretString")
        if rules and str(rules.get("ExcludePunctuation")).lower() == "true":
            excluded = rules.get("ExcludeCharacters", "") + string.punctuation
            properties = {**properties, "GenerateSecretString": {**rules, "ExcludeCharacters": excluded}}
        return stock(properties)

    provisioners._sm_secret_string = secret_string
