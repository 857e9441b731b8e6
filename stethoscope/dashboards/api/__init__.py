"""The metrics API.

operations   which questions there are, and what answers them
parameters   what they take
api          from a request to an answer
answers      JSON over HTTP: tags to compare, compression
kept         answers that are ready when somebody asks again
openapi      the API's own description, made of all that (`schema`)
"""
